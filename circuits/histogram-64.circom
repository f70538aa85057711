pragma circom 2.2.0;

include "histogram.circom";

component main { public [claim, counts, commitment] } = Histogram(64);
