//! The section `[gpu]`: which GPU is watched, and what is too much for it and the box.

use std::path::PathBuf;

use super::checked::{Check, path};
use super::file;
use super::model_file::ModelFile;
use super::values::{Allowed, allowed, within};
use crate::appliance::gpu::Wish;
use crate::store::shelf::manifest::Kind;

/// The model inside the program, as it is named here.
const STARTER: &str = "starter";

/// The section as the program uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpu {
    pub device: Wish,
    /// `None`: as the system has it.
    pub library: Option<PathBuf>,
    /// In °C.
    pub max_c: f32,
    pub cpu_max_c: f32,
    pub memory_reserve_bytes: u64,
    /// `None`: there is none.
    pub smaller_model: Option<SmallerModel>,
}

/// What hears while the box has too much to do.
#[derive(Clone, Debug, PartialEq)]
pub enum SmallerModel {
    /// The one inside the program.
    Starter,
    File(ModelFile),
}

impl Gpu {
    pub(super) fn smaller_file(&mut self) -> Option<&mut ModelFile> {
        match &mut self.smaller_model {
            Some(SmallerModel::File(model)) => Some(model),
            Some(SmallerModel::Starter) | None => None,
        }
    }
}

impl TryFrom<&str> for Wish {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            _ if text.starts_with("GPU-") || text.starts_with("MIG-") => {
                let is_uuid = text.len() < 80
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || "-/".contains(c));
                if is_uuid { Ok(Self::Uuid(text.to_owned())) } else { allowed(DEVICES) }
            }
            _ => match text.parse() {
                Ok(index) if index < 64 && text.len() < 3 => Ok(Self::Index(index)),
                _ => allowed(DEVICES),
            },
        }
    }
}

const DEVICES: &str = "auto, none, a number from 0 on, or a UUID as in GPU-5b2f1c0e-...";

pub(super) fn gpu(file: &file::Gpu, check: &mut Check<'_>) -> Option<Gpu> {
    let device = check.take("gpu.device", &file.device, file.device.as_str().try_into());
    let mut celsius = |key: &str, value: i64| {
        check.take(key, value, within(value, 40, 120)).map(|celsius| celsius as f32)
    };
    let gpu_c = celsius("gpu.max_c", file.max_c);
    let cpu_c = celsius("gpu.cpu_max_c", file.cpu_max_c);
    let reserve = within(file.memory_reserve_mb, 0, 1_000_000);
    let reserve = check.take("gpu.memory_reserve_mb", file.memory_reserve_mb, reserve);
    let smaller_model = match file.smaller_model.as_str() {
        STARTER => Some(SmallerModel::Starter),
        name => ModelFile::named(name, Kind::Whisper).map(SmallerModel::File),
    };
    let memory_reserve_bytes = u64::from(reserve?) * 1_000_000;
    Some(Gpu {
        device: device?,
        library: path(&file.library),
        max_c: gpu_c?,
        cpu_max_c: cpu_c?,
        memory_reserve_bytes,
        smaller_model,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_named_as_nvidia_smi_names_it() {
        let wish = |text: &str| Wish::try_from(text).ok();
        assert_eq!(wish("auto"), Some(Wish::Auto));
        assert_eq!(wish("1"), Some(Wish::Index(1)));
        let uuid = "GPU-5b2f1c0e-84a0-9b1f-1111-222233334444";
        assert_eq!(wish(uuid), Some(Wish::Uuid(uuid.to_owned())));
        for wrong in ["", "-1", "001", "64", "nvidia0", "GPU-a b", "GPU-a,1"] {
            assert_eq!(wish(wrong), None, "{wrong}");
        }
    }
}
