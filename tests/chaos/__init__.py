"""All of Reflow under fire: real processes, faults by seed, and a reader of both sides that shares nothing with it."""
