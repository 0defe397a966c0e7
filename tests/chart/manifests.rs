//! Reading what lies in files: YAML documents, and paths from the root of the source.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML text; empty ones left out.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}

/// The names of a folder's files, in order.
pub(crate) fn names(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Compares a file with what it should hold, or writes it with `UPDATE=1`.
pub(crate) fn is_fresh(path: &str, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(root(path), wanted).unwrap();
    }
    assert!(read(path) == wanted, "{path} is out of date: UPDATE=1 cargo test --test chart files");
}
