//! Two peers in virtual time.
