//! Is what `crds/` holds exactly what the code generates?

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[test]
fn the_folder_holds_what_the_code_generates() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let found: BTreeMap<String, String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let generated: BTreeMap<String, String> = linkspan::cli::crds().unwrap().into_iter().collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    let advice = "run `linkspan crd --output-dir crds`";
    assert_eq!(names(&found), names(&generated), "{advice}");
    for (name, text) in generated {
        assert!(found.get(&name) == Some(&text), "crds/{name} is out of date; {advice}");
    }
}
