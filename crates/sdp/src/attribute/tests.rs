//! Tests of the grammars.
