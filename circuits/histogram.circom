pragma circom 2.2.0;

include "batch.circom";

// How many of a batch's values are in each of up to 64 bins of one width from `lower` on; all of them are in [lower, upper].
//   commitment  see Batch
//   claim       count (9 bits) ‖ lower (40) ‖ upper (40) ‖ width (40) ‖ challenge (124): 253 bits, so that no two claims are one element. Bounds
//               are offset as values are.
//   counts      W0 + W1 c + W2 c^2 + W3 c^3, with c the challenge and Wk the counts of bins 16k to 16k + 15, 16 bits each, the first in the lowest
// The challenge is a hash of all that is claimed, the counts, request and commitment among it. What counts are right follows from commitment,
// bounds and width, so they stand before the challenge is known: other counts have the same `counts` for three challenges at most.
template Histogram(n) {
    signal input claim;
    signal input counts;
    signal input commitment;
    signal input salt;
    signal input head;
    signal input values[n];

    signal lower;
    signal upper;
    signal width;
    signal count;
    signal challenge;
    count <-- claim >> 244;
    lower <-- (claim >> 204) & (2 ** 40 - 1);
    upper <-- (claim >> 164) & (2 ** 40 - 1);
    width <-- (claim >> 124) & (2 ** 40 - 1);
    challenge <-- claim & (2 ** 124 - 1);
    Range(40)(lower);
    Range(40)(upper);
    Range(40)(width);
    Range(124)(challenge);
    (((count * 2 ** 40 + lower) * 2 ** 40 + upper) * 2 ** 40 + width) * 2 ** 124 + challenge === claim;

    signal used[n] <== Batch(n)(count, commitment, salt, head, values);
    signal square <== challenge * challenge;

    signal least[n];
    signal most[n];
    signal bits[n][6];
    signal start[n];
    signal factor[n][5];
    signal byFirst[n];
    signal bySecond[n];
    var total = 0;
    for (var i = 0; i < n; i++) {
        least[i] <== used[i] * lower;
        most[i] <== used[i] * upper;
        Range(40)(most[i] - values[i]);

        // value = lower + bin * width + rest, with rest in [0, width). For a place that isn't used that is 0 = bin * width + rest: bin 0.
        var bin = 0;
        for (var j = 0; j < 6; j++) {
            bits[i][j] <-- width == 0 ? 0 : (((values[i] - least[i]) \ width) >> j) & 1;
            bits[i][j] * (bits[i][j] - 1) === 0;
            bin += bits[i][j] * 2 ** j;
        }
        start[i] <== bin * width;
        Range(40)(values[i] - least[i] - start[i]);
        Range(40)(width - 1 - (values[i] - least[i] - start[i]));

        // 2^(16 (bin mod 16)) * challenge^(bin div 16), a factor for each bit of the bin.
        factor[i][0] <== (1 + bits[i][0] * (2 ** 16 - 1)) * (1 + bits[i][1] * (2 ** 32 - 1));
        factor[i][1] <== factor[i][0] * (1 + bits[i][2] * (2 ** 64 - 1));
        factor[i][2] <== factor[i][1] * (1 + bits[i][3] * (2 ** 128 - 1));
        byFirst[i] <== bits[i][4] * (challenge - 1);
        bySecond[i] <== bits[i][5] * (square - 1);
        factor[i][3] <== factor[i][2] * (1 + byFirst[i]);
        factor[i][4] <== factor[i][3] * (1 + bySecond[i]);
        total += factor[i][4];
    }
    // The places that aren't used have counted in bin 0.
    total - (n - count) === counts;
}
