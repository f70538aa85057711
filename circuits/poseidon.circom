pragma circom 2.2.0;

include "poseidon-constants.circom";

// Poseidon (eprint 2019/458) with 16 inputs: width 17, x^5, 8 full and 68 partial rounds, capacity 0; the first word of the state is the hash.
// Constants and matrix are those that circomlib and poseidon-lite have too. `state` holds linear expressions, so that only the S-boxes cost
// constraints, three each.
template Poseidon16() {
    signal input in[16];
    signal output out;

    var t = 17;
    var full = 8;
    var partial = 68;
    var C[1292] = POSEIDON_ROUND_CONSTANTS();
    var M[17][17] = POSEIDON_MATRIX();

    signal square[full * t + partial];
    signal fourth[full * t + partial];
    signal fifth[full * t + partial];

    var state[17];
    state[0] = 0;
    for (var i = 0; i < 16; i++) state[i + 1] = in[i];
    var box = 0;
    for (var round = 0; round < full + partial; round++) {
        var boxes = (round < full / 2 || round >= full / 2 + partial) ? t : 1;
        for (var i = 0; i < t; i++) {
            state[i] = state[i] + C[round * t + i];
            if (i < boxes) {
                square[box] <== state[i] * state[i];
                fourth[box] <== square[box] * square[box];
                fifth[box] <== fourth[box] * state[i];
                state[i] = fifth[box];
                box++;
            }
        }
        var mixed[17];
        for (var i = 0; i < t; i++) {
            mixed[i] = 0;
            for (var j = 0; j < t; j++) mixed[i] = mixed[i] + M[i][j] * state[j];
        }
        state = mixed;
    }
    out <== state[0];
}

// A chain: the hash of the first 16 elements, then of the last hash and 15 more, until all are in; the last one is filled up with zeros.
// Whoever uses it fixes the length, by the circuit or by an element.
template PoseidonChain(length) {
    signal input in[length];
    signal output out;

    var blocks = length <= 16 ? 1 : 1 + (length - 16 + 14) \ 15;
    component hash[blocks];
    var next = 0;
    for (var k = 0; k < blocks; k++) {
        hash[k] = Poseidon16();
        var first = 0;
        if (k > 0) {
            hash[k].in[0] <== hash[k - 1].out;
            first = 1;
        }
        for (var i = first; i < 16; i++) {
            if (next < length) {
                hash[k].in[i] <== in[next];
            } else {
                hash[k].in[i] <== 0;
            }
            next++;
        }
    }
    out <== hash[blocks - 1].out;
}
