pragma circom 2.2.0;

include "sum.circom";

component main { public [claim, commitment] } = Sum(256);
