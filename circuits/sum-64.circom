pragma circom 2.2.0;

include "sum.circom";

component main { public [batch, claim, commitment] } = Sum(64);
