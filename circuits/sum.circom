pragma circom 2.2.0;

include "batch.circom";

// The sum of a batch's values, all of which are in [lower, upper].
//   batch, commitment  see Batch
//   claim              sum (48 bits) ‖ lower (40) ‖ upper (40) ‖ context (120); bounds are offset as values are, and so is each value in the sum
template Sum(n) {
    signal input batch;
    signal input claim;
    signal input commitment;
    signal input salt;
    signal input values[n];

    signal used[n] <== Batch(n)(batch, commitment, salt, values);

    signal lower;
    signal upper;
    signal context;
    lower <-- (claim >> 160) & (2 ** 40 - 1);
    upper <-- (claim >> 120) & (2 ** 40 - 1);
    context <-- claim & (2 ** 120 - 1);
    Range(40)(lower);
    Range(40)(upper);
    Range(120)(context);

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
    ((sum * 2 ** 40 + lower) * 2 ** 40 + upper) * 2 ** 120 + context === claim;
}
