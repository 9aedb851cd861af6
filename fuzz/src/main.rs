//! `wardpoint-fuzz prepare FOLDER` writes each target's seeds and words for libFuzzer; `wardpoint-fuzz run TARGET FILE...`
//! gives one target inputs that were found.

use std::process::ExitCode;
use std::{env, fs, io};

use wardpoint_fuzz::{TARGETS, drive, target};

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["prepare", folder] => prepare(folder)?,
        ["run", name, files @ ..] if target(name).is_some() => {
            for (target, file) in target(name).into_iter().flat_map(|target| files.iter().map(move |file| (target, file))) {
                drive::guarded(target, &fs::read(file)?);
                println!("{file}: the law holds");
            }
        }
        _ => {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            eprintln!("usage: wardpoint-fuzz prepare FOLDER | run TARGET FILE...\ntargets: {}", names.join(" "));
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `FOLDER/<target>/corpus/seed-<n>` and `FOLDER/<target>/words`.
fn prepare(folder: &str) -> io::Result<()> {
    for target in TARGETS {
        let corpus = format!("{folder}/{}/corpus", target.name);
        fs::create_dir_all(&corpus)?;
        for (index, seed) in (target.seeds)().iter().enumerate() {
            fs::write(format!("{corpus}/seed-{index}"), seed)?;
        }
        // The format of libFuzzer's dictionaries.
        let escaped = |byte: u8| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        let lines: Vec<String> =
            target.words.iter().map(|word| format!("\"{}\"\n", word.bytes().map(escaped).collect::<String>())).collect();
        fs::write(format!("{folder}/{}/words", target.name), lines.concat())?;
    }
    Ok(())
}
