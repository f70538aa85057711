pragma circom 2.2.0;

include "histogram.circom";

component main { public [batch, claim, counts, commitment] } = Histogram(64);
