pragma circom 2.2.0;

include "batch.circom";

// Small enough for a ceremony within a test, and nothing else.
component main { public [in] } = Range(8);
