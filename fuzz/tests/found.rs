//! What ever broke a law, or looked like it: `found/<target>/<what it was>`.

use std::fs;
use std::path::Path;

use wardpoint_fuzz::{drive, target};

#[test]
fn what_was_found_stays_found() {
    let mut count = 0;
    for folder in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("found")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let target = target(name).expect(name);
        for file in fs::read_dir(&folder).unwrap() {
            drive::guarded(target, &fs::read(file.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert!(count > 0);
}
