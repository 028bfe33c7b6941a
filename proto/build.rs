//! Generates the Rust types and their protobuf JSON mapping from `counterfoil/v1/*.proto`, without a system protoc; and
//! with the feature `services`, the gRPC clients and servers, and the list of the messages that they exchange.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use prost::Message;
use prost_types::FileDescriptorSet;
use protox::Compiler;

const FILES: [&str; 12] = [
    "counterfoil/v1/fact.proto",
    "counterfoil/v1/map.proto",
    "counterfoil/v1/record.proto",
    "counterfoil/v1/evidence.proto",
    "counterfoil/v1/beside.proto",
    "counterfoil/v1/answer.proto",
    "counterfoil/v1/identity_service.proto",
    "counterfoil/v1/linkage_service.proto",
    "counterfoil/v1/ledger_service.proto",
    "counterfoil/v1/source_service.proto",
    "counterfoil/v1/proof_service.proto",
    "counterfoil/v1/ingest_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=counterfoil");
    println!("cargo:rerun-if-changed=google");
    let mut compiler = Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    // With the options of methods, which decoded descriptors lose.
    let encoded = compiler.encode_file_descriptor_set();
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(folder.join("descriptors.bin"), &encoded)?;

    let mut descriptors = FileDescriptorSet::decode(&encoded[..])?;
    descriptors.file.retain(|file| file.package() != "google.api");
    fs::write(folder.join("messages.rs"), messages(&descriptors))?;
    let mut config = prost_build::Config::new();
    config.compile_well_known_types();
    config.extern_path(".google.protobuf", "::pbjson_types");
    if env::var_os("CARGO_FEATURE_SERVICES").is_some() {
        config.service_generator(tonic_prost_build::configure().build_transport(false).service_generator());
    }
    config.compile_fds(descriptors)?;
    share_parties(&folder.join("counterfoil.v1.rs"))?;

    pbjson_build::Builder::new().register_descriptors(&encoded)?.build(&[".counterfoil.v1"])?;
    Ok(())
}

/// Parties in messages are shared: prost has no option for the type of a field.
fn share_parties(generated: &Path) -> Result<(), Box<dyn Error>> {
    let types = fs::read_to_string(generated)?;
    Ok(fs::write(generated, types.replace("<Party>", "<crate::Shared<Party>>"))?)
}

/// A macro that hands the name and the type of every message of the services to another macro.
fn messages(descriptors: &FileDescriptorSet) -> String {
    let methods = descriptors.file.iter().flat_map(|file| &file.service).flat_map(|service| &service.method);
    let names: BTreeSet<&str> = methods.flat_map(|method| [method.input_type(), method.output_type()]).collect();
    let lines = names.iter().map(|name| name.trim_start_matches('.'));
    let lines = lines.map(|name| format!("{name:?} => {}, ", name.rsplit('.').next().unwrap_or_default()));
    format!(
        "/// Calls a macro with `\"NAME\" => TYPE,` for each message that the services exchange.\n#[macro_export]\n\
         macro_rules! each_message {{ ($call:ident) => {{ $call! {{ {} }} }} }}\n",
        lines.collect::<String>()
    )
}
