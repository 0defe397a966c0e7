//! Is what `scripts/image` writes an OCI image, the same each time, of a static program alone?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::manifests::{read, root};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("linkspan-image-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("python3")
            .arg(root("scripts/image"))
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The smallest that passes for a static program: an ELF header without any segment.
fn elf() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[54] = 56;
    bytes
}

/// The files of a tar.
fn unpacked(tar: &Path, into: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::create_dir_all(into).unwrap();
    let done = Command::new("tar").arg("-xf").arg(tar).arg("-C").arg(into).status().unwrap();
    assert!(done.success());
    let mut found = BTreeMap::new();
    let mut folders = vec![into.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(into).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn json(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

fn blob(descriptor: &Value) -> String {
    format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))
}

fn sha256(bytes: &[u8], folder: &Path) -> String {
    let path = folder.join("summed");
    fs::write(&path, bytes).unwrap();
    let sum = Command::new("sha256sum").arg(&path).output().unwrap();
    String::from_utf8(sum.stdout).unwrap()[..64].to_owned()
}

#[test]
fn the_same_program_gives_the_same_image_with_every_digest_right() {
    let scratch = Scratch::new("same");
    fs::write(scratch.0.join("linkspan"), elf()).unwrap();
    let binaries =
        ["--binary", "amd64=linkspan", "--binary", "arm64=linkspan", "--tag", "linkspan:dev"];
    for output in ["a.tar", "b.tar"] {
        let done = scratch.run(&[&binaries[..], &["-o", output]].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(
            said.contains("linux/arm64: binary ") && said.contains(" MB, linkspan:dev"),
            "{said}"
        );
    }
    let [one, other] = ["a.tar", "b.tar"].map(|name| fs::read(scratch.0.join(name)).unwrap());
    assert!(one == other);

    let files = unpacked(&scratch.0.join("a.tar"), &scratch.0.join("image"));
    for (name, bytes) in &files {
        if let Some(digest) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(sha256(bytes, &scratch.0), digest);
        }
    }
    let named = &json(&files, "index.json")["manifests"][0];
    let annotations = &named["annotations"];
    assert_eq!(annotations["io.containerd.image.name"], "docker.io/library/linkspan:dev");
    let images = json(&files, &blob(named));
    let platforms: Vec<&Value> = images["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["platform"]["architecture"])
        .collect();
    assert_eq!(platforms.len(), 2, "{platforms:?}");
    let manifest = json(&files, &blob(&images["manifests"][0]));
    let config = json(&files, &blob(&manifest["config"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"][0], "/linkspan");
    let layer = scratch.0.join("layer.tar.gz");
    fs::write(&layer, &files[&blob(&manifest["layers"][0])]).unwrap();
    let listed = Command::new("tar").arg("-tvzf").arg(&layer).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.starts_with("-rwxr-xr-x 0/0") && listed.lines().count() == 1, "{listed}");
    let old: Value = json(&files, "manifest.json");
    assert_eq!(old[0]["RepoTags"][0], "linkspan:dev");
    assert!(files.contains_key(old[0]["Layers"][0].as_str().unwrap()));
}

#[test]
fn a_program_that_needs_libraries_is_refused() {
    let scratch = Scratch::new("dynamic");
    let mut dynamic = elf();
    // One program header, right after the ELF header, that names an interpreter.
    dynamic[32] = 64;
    dynamic[56] = 1;
    dynamic.extend([3, 0, 0, 0]);
    dynamic.extend([0; 52]);
    fs::write(scratch.0.join("linkspan"), dynamic).unwrap();
    let done = scratch.run(&["--binary", "amd64=linkspan", "-o", "a.tar"]);
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success() && said.contains("is not static"), "{said}");
    assert!(!scratch.0.join("a.tar").exists());
}

#[test]
fn the_dockerfile_builds_the_same_of_what_is_let_into_it() {
    let (dockerfile, script) = (read("Dockerfile"), read("scripts/image"));
    let flags = ["--locked", "--release", "--no-default-features", "+crt-static"];
    for part in flags.iter().chain(&["linkspan", "65532:65532", "/linkspan"]) {
        assert!(dockerfile.contains(part) && script.contains(part), "{part}");
    }
    assert!(dockerfile.contains("--features controller"));
    assert!(script.contains(r#""--features", "controller""#));
    let let_in = read(".dockerignore");
    let copies = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    for copy in copies.filter(|copy| !copy.starts_with("--from")) {
        let mut paths: Vec<&str> = copy.split_whitespace().collect();
        paths.pop();
        for path in paths {
            assert!(root(path).exists(), "{path}");
            assert!(let_in.lines().any(|line| line == format!("!{path}")), "{path}");
        }
    }
    // What the manifest and the sources name beside themselves.
    for folder in ["src", "benches", "examples"] {
        assert!(dockerfile.contains(&format!("COPY {folder} {folder}\n")), "{folder}");
    }
}
