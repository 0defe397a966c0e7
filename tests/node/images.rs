//! Images made here: OCI archives of a static busybox.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// busybox under the names of all its programs, with a page to serve at `/www`.
pub(crate) const BOX: &str = "linkspan.test/box:1";
/// The same by the name that the example's task definition has for it, serving the page on port 80.
pub(crate) const HELLO: &str = "docker.io/nginxdemos/hello:latest";
/// What stands on the page.
pub(crate) const PAGE: &str = "hello from a real node\n";

/// Writes an archive `<folder>.tar` of these images, which share one layer: name, entry point and
/// command.
pub(crate) fn archive(folder: &Path, images: &[(&str, &[&str], &[&str])]) -> PathBuf {
    let blobs = folder.join("image/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |bytes: &[u8], kind: &str| {
        let digest = Sha256::digest(bytes);
        let digest = digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        fs::write(blobs.join(&digest), bytes).unwrap();
        json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "size": bytes.len(),
            "digest": format!("sha256:{digest}")})
    };
    let layer = blob(&layer(&folder.join("root")), "layer.v1.tar");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let manifests: Vec<Value> = images
        .iter()
        .map(|(name, entry_point, command)| {
            let config = json!({
                "architecture": architecture, "os": "linux",
                "config": {"Entrypoint": entry_point, "Cmd": command, "Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
            });
            let config = blob(config.to_string().as_bytes(), "config.v1+json");
            let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer],
                "mediaType": "application/vnd.oci.image.manifest.v1+json"});
            let mut found = blob(manifest.to_string().as_bytes(), "manifest.v1+json");
            found["annotations"] = json!({"io.containerd.image.name": name});
            found
        })
        .collect();
    let index = json!({"schemaVersion": 2, "manifests": manifests,
        "mediaType": "application/vnd.oci.image.index.v1+json"});
    fs::write(folder.join("image/index.json"), index.to_string()).unwrap();
    fs::write(folder.join("image/oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    tar(&folder.join("image"), &folder.with_extension("tar"))
}

/// The one layer, as bytes.
fn layer(root: &Path) -> Vec<u8> {
    for folder in ["bin", "etc", "www", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("www/index.html"), PAGE).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").unwrap();
    let busybox = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("busybox"))
        .find(|path| path.is_file())
        .unwrap();
    fs::copy(&busybox, root.join("bin/busybox")).unwrap();
    let listed = Command::new(&busybox).arg("--list").output().unwrap();
    for name in String::from_utf8(listed.stdout).unwrap().lines().filter(|n| *n != "busybox") {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    fs::read(tar(root, &root.with_extension("tar"))).unwrap()
}

/// Packs what is in a folder.
fn tar(folder: &Path, archive: &Path) -> PathBuf {
    let done = Command::new("tar")
        .args(["--create", "--owner=0", "--group=0", "--file"])
        .arg(archive)
        .arg("--directory")
        .arg(folder)
        .arg(".")
        .status()
        .unwrap();
    assert!(done.success());
    archive.to_owned()
}
