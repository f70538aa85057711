pragma circom 2.2.0;

include "batch.circom";

// The sum of a batch's values, all of which are in [lower, upper].
//   commitment  see Batch
//   claim       sum (48 bits) ‖ lower (40) ‖ upper (40) ‖ count (9) ‖ context (116): 253 bits, so that no two claims are one element. Bounds are
//               offset as values are, and so is each value in the sum. The context ties the proof to a request, a device and a sequence.
template Sum(n) {
    signal input claim;
    signal input commitment;
    signal input salt;
    signal input head;
    signal input values[n];

    signal lower;
    signal upper;
    signal count;
    signal context;
    lower <-- (claim >> 165) & (2 ** 40 - 1);
    upper <-- (claim >> 125) & (2 ** 40 - 1);
    count <-- (claim >> 116) & (2 ** 9 - 1);
    context <-- claim & (2 ** 116 - 1);
    Range(40)(lower);
    Range(40)(upper);
    Range(116)(context);

    signal used[n] <== Batch(n)(count, commitment, salt, head, values);

    signal least[n];
    signal most[n];
    var sum = 0;
    for (var i = 0; i < n; i++) {
        least[i] <== used[i] * lower;
        most[i] <== used[i] * upper;
        Range(40)(values[i] - least[i]);
        Range(40)(most[i] - values[i]);
        sum += values[i];
    }
    // Values are below 2^40 and at most 2^8, so the sum has 48 bits.
    (((sum * 2 ** 40 + lower) * 2 ** 40 + upper) * 2 ** 9 + count) * 2 ** 116 + context === claim;
}
