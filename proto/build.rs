//! Compiles the `.proto` files with a compiler written in Rust, so that a build needs no `protoc`.

use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=orchestrator");
    let names =
        ["admin", "common", "constant", "credential", "job", "log", "queue", "robot", "trigger", "user", "worker"];
    let files: Vec<String> = names.iter().map(|name| format!("orchestrator/v1/{name}.proto")).collect();
    let descriptors = protox::compile(&files, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().codec_path("crate::codec::SmallBuffers").compile_fds(descriptors)?;
    Ok(())
}
