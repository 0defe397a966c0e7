//! Can krew install the plugin: is the manifest's digest that of the archive, and is all in there?

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::pages::root;

#[test]
fn the_manifest_of_krew_is_that_of_the_archives() {
    let folder = std::env::temp_dir().join(format!("linkspan-krew-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("program");
    fs::write(&program, "not much of a program").unwrap();
    let made = Command::new("python3")
        .arg(root().join("scripts/krew"))
        .arg(format!("--binary=linux-arm64={}", program.display()))
        .args(["--uri=https://example.com/releases/", "--output-dir"])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = fs::read_to_string(folder.join("linkspan.yaml")).unwrap();
    assert!(!text.contains('@'), "{text}");
    let manifest: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(manifest["metadata"]["name"], "linkspan");
    assert_eq!(manifest["spec"]["version"], concat!("v", env!("CARGO_PKG_VERSION")));
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 1, "those without an archive are left out");
    assert_eq!(platforms[0]["selector"]["matchLabels"]["arch"], "arm64");
    assert_eq!(platforms[0]["uri"], "https://example.com/releases/linkspan-linux-arm64.tar.gz");

    let archive = folder.join("linkspan-linux-arm64.tar.gz");
    let digest = Command::new("sha256sum").arg(&archive).output().unwrap();
    let digest = String::from_utf8(digest.stdout).unwrap();
    assert_eq!(digest.split_whitespace().next(), platforms[0]["sha256"].as_str());
    let listed = Command::new("tar").arg("tzf").arg(&archive).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<&str> = listed.lines().collect();
    assert_eq!(names, ["linkspan", "kubectl_complete-linkspan", "LICENSE"]);
    let unknown = Command::new("python3")
        .arg(root().join("scripts/krew"))
        .args(["--binary=plan9-amd64=x", "--uri=https://example.com/"])
        .output()
        .unwrap();
    assert!(!unknown.status.success(), "a platform that the manifest does not know");
    fs::remove_dir_all(&folder).unwrap();
}

#[cfg(feature = "sandbox")]
#[test]
fn the_completion_for_kubectl_is_what_the_program_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_linkspan"))
        .args(["completions", "kubectl"])
        .output()
        .unwrap();
    let file = fs::read(root().join("plugin/kubectl_complete-linkspan")).unwrap();
    assert_eq!(printed.stdout, file, "plugin/kubectl_complete-linkspan");
}
