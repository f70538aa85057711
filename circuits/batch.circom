pragma circom 2.2.0;

include "poseidon.circom";

// Holds if `in` is in [0, 2^width). width < 254, so that the bits say one number only.
template Range(width) {
    signal input in;

    signal bits[width];
    var sum = 0;
    for (var i = 0; i < width; i++) {
        bits[i] <-- (in >> i) & 1;
        bits[i] * (bits[i] - 1) === 0;
        sum += bits[i] * 2 ** i;
    }
    sum === in;
}

// A batch of one device's readings: `count` of `n` places are used, the first ones; the others hold 0.
//   commitment  PoseidonChain(salt, head, count, values)
//   head        device (160 bits) ‖ sequence of the first reading (64). Nothing is proved of it: a statement says device and sequence itself,
//               and no other proof serves it.
// Values are offset by 2^39 to be in [0, 2^40), which whoever uses this template proves; an element holds six, the first in its lowest bits.
template Batch(n) {
    signal input count;
    signal input commitment;
    signal input salt;
    signal input head;
    signal input values[n];
    signal output used[n];

    // With that sum, count is at most n, and its bits need no other proof.
    var total = 0;
    for (var i = 0; i < n; i++) {
        used[i] <-- i < count;
        used[i] * (used[i] - 1) === 0;
        if (i > 0) used[i] * (1 - used[i - 1]) === 0;
        (1 - used[i]) * values[i] === 0;
        total += used[i];
    }
    total === count;

    var packs = (n + 5) \ 6;
    component chain = PoseidonChain(3 + packs);
    chain.in[0] <== salt;
    chain.in[1] <== head;
    chain.in[2] <== count;
    for (var k = 0; k < packs; k++) {
        var pack = 0;
        for (var i = 0; i < 6 && 6 * k + i < n; i++) pack += values[6 * k + i] * 2 ** (40 * i);
        chain.in[3 + k] <== pack;
    }
    chain.out === commitment;
}
