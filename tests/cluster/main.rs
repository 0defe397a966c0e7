//! What the operator promises, on a real control plane: one for all tests of this program, each test
//! in a namespace of its own. A file is a group of promises; a test's name is the promise.

mod conflicts;
mod drift;
mod interruption;
mod kinds;
mod lifecycle;
mod malformed;
mod references;
mod rolling;
mod support;
