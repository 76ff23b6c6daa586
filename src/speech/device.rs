//! Which device Whisper runs on: asked of ggml itself, because it falls back in silence.

use super::whisper::DeviceWish;

/// A GPU that ggml can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    pub name: String,
    /// Memory of the device, where its driver tells.
    pub memory_bytes: Option<u64>,
}

/// The GPU to use, if any, and what to announce.
pub fn choose(wish: DeviceWish) -> (Option<Gpu>, String) {
    decide(wish, find())
}

/// The GPU that would be used.
pub fn gpu() -> Option<Gpu> {
    find().ok()
}

fn decide(wish: DeviceWish, found: Result<Gpu, &'static str>) -> (Option<Gpu>, String) {
    match (wish, found) {
        (DeviceWish::Cpu, _) => (None, "cpu".to_owned()),
        (DeviceWish::Auto | DeviceWish::Cuda, Ok(gpu)) => {
            let device = format!("cuda ({})", gpu.name);
            (Some(gpu), device)
        }
        (DeviceWish::Auto | DeviceWish::Cuda, Err(reason)) => (None, format!("cpu ({reason})")),
    }
}

#[cfg(not(feature = "cuda"))]
fn find() -> Result<Gpu, &'static str> {
    Err("built without CUDA")
}

#[cfg(feature = "cuda")]
fn find() -> Result<Gpu, &'static str> {
    use std::ffi::CStr;

    whisper_rs::install_logging_hooks();
    let (mut free, mut total) = (0_usize, 0_usize);
    // SAFETY: ggml registers its devices on the first of these calls, under its own lock; the
    // device and its description are static, and both are checked for null. The two numbers are
    // ours and outlive the call that writes them.
    let name = unsafe {
        let device = ffi::ggml_backend_dev_by_type(ffi::DEVICE_TYPE_GPU);
        let name = (!device.is_null()).then(|| ffi::ggml_backend_dev_description(device));
        let name = name.filter(|name| !name.is_null());
        if name.is_some() {
            ffi::ggml_backend_dev_memory(device, &raw mut free, &raw mut total);
        }
        name.map(|name| CStr::from_ptr(name).to_string_lossy())
    };
    let name = name.ok_or("no GPU that CUDA can use")?.into_owned();
    let memory_bytes = u64::try_from(total).ok().filter(|&total| total > 0);
    Ok(Gpu { name, memory_bytes })
}

/// From `ggml-backend.h` of the whisper.cpp that whisper-rs builds.
#[cfg(feature = "cuda")]
mod ffi {
    use std::ffi::{c_char, c_int, c_void};

    pub const DEVICE_TYPE_GPU: c_int = 1;

    unsafe extern "C" {
        pub fn ggml_backend_dev_by_type(kind: c_int) -> *mut c_void;
        pub fn ggml_backend_dev_description(device: *mut c_void) -> *const c_char;
        pub fn ggml_backend_dev_memory(device: *mut c_void, free: *mut usize, total: *mut usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_wished_is_announced_with_its_reason() {
        let gpu = Gpu { name: "Orin".to_owned(), memory_bytes: None };
        let cases = [
            (DeviceWish::Auto, Ok(gpu.clone()), true, "cuda (Orin)"),
            (DeviceWish::Cuda, Ok(gpu.clone()), true, "cuda (Orin)"),
            (DeviceWish::Cpu, Ok(gpu), false, "cpu"),
            (DeviceWish::Auto, Err("no GPU"), false, "cpu (no GPU)"),
            (DeviceWish::Cuda, Err("no GPU"), false, "cpu (no GPU)"),
            (DeviceWish::Cpu, Err("no GPU"), false, "cpu"),
        ];
        for (wish, found, on_gpu, announced) in cases {
            let (gpu, device) = decide(wish, found);
            assert_eq!((gpu.is_some(), device.as_str()), (on_gpu, announced));
        }
    }
}
