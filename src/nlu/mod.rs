//! Reading text on this machine.
