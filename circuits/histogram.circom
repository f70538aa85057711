pragma circom 2.2.0;

include "batch.circom";

// How many of a batch's values are in each of up to 16 bins of one width from `lower` on; all of them are in [lower, upper].
//   batch, commitment  see Batch
//   claim              lower (40 bits) ‖ upper (40) ‖ width (40) ‖ context (120); bounds are offset as values are
//   counts             9 bits a bin, the first in the lowest bits
template Histogram(n) {
    signal input batch;
    signal input claim;
    signal input counts;
    signal input commitment;
    signal input salt;
    signal input values[n];

    signal used[n] <== Batch(n)(batch, commitment, salt, values);

    signal lower;
    signal upper;
    signal width;
    signal context;
    lower <-- (claim >> 200) & (2 ** 40 - 1);
    upper <-- (claim >> 160) & (2 ** 40 - 1);
    width <-- (claim >> 120) & (2 ** 40 - 1);
    context <-- claim & (2 ** 120 - 1);
    Range(40)(lower);
    Range(40)(upper);
    Range(40)(width);
    Range(120)(context);
    ((lower * 2 ** 40 + upper) * 2 ** 40 + width) * 2 ** 120 + context === claim;

    signal least[n];
    signal most[n];
    signal isIn[n][16];
    signal start[n];
    var total[16];
    for (var j = 0; j < 16; j++) total[j] = 0;
    for (var i = 0; i < n; i++) {
        least[i] <== used[i] * lower;
        most[i] <== used[i] * upper;
        Range(40)(most[i] - values[i]);

        // One bin a value, none for a place that isn't used: value = lower + bin * width + rest, with rest in [0, width). For a place that isn't
        // used that is 0 = rest.
        var bins = 0;
        var bin = 0;
        for (var j = 0; j < 16; j++) {
            isIn[i][j] <-- used[i] * (width != 0 ? ((values[i] - least[i]) \ width == j) : 0);
            isIn[i][j] * (isIn[i][j] - 1) === 0;
            bins += isIn[i][j];
            bin += isIn[i][j] * j;
            total[j] += isIn[i][j];
        }
        bins === used[i];
        start[i] <== bin * width;
        Range(40)(values[i] - least[i] - start[i]);
        Range(40)(width - 1 - (values[i] - least[i] - start[i]));
    }

    // A count is at most 2^8, so 9 bits hold it.
    var packed = 0;
    for (var j = 0; j < 16; j++) packed += total[j] * 2 ** (9 * j);
    packed === counts;
}
