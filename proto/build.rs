//! Generates the Rust types and their protobuf JSON mapping from `counterfoil/v1/*.proto`, without a system protoc.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 4] = [
    "counterfoil/v1/fact.proto",
    "counterfoil/v1/record.proto",
    "counterfoil/v1/beside.proto",
    "counterfoil/v1/answer.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=counterfoil");
    let descriptors = protox::compile(FILES, ["."])?;
    let path = PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin");
    let encoded = descriptors.encode_to_vec();
    fs::write(&path, &encoded)?;

    let mut config = prost_build::Config::new();
    config.compile_well_known_types();
    config.extern_path(".google.protobuf", "::pbjson_types");
    config.compile_fds(descriptors)?;

    pbjson_build::Builder::new().register_descriptors(&encoded)?.build(&[".counterfoil.v1"])?;
    Ok(())
}
