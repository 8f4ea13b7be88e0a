//! Accelerators: one attempt has each to itself, finds its memory free, and is told what it used.
//!
//! NVML is loaded when there is a driver; without one nothing here happens. What a device's clock, power and memory do
//! is read from outside of the sandbox, ten times a second.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use nvml_wrapper::{Nvml, bitmasks::device::ThrottleReasons, enum_wrappers::device::Clock};
use protocol::DeviceUse;
use sandbox::Device;

/// A device with more memory in use is somebody else's at the moment. Drivers keep some hundred MiB for themselves.
const FREE_BYTES: u64 = 1 << 30;

const SAMPLE_PERIOD: Duration = Duration::from_millis(100);

/// Reasons that make a time wrong. That a device is idle or at a clock somebody set does not; a power cap is the
/// device's own property, but named.
const THROTTLING: [(ThrottleReasons, &str); 6] = [
    (ThrottleReasons::HW_SLOWDOWN, "hardware slowdown"),
    (ThrottleReasons::HW_THERMAL_SLOWDOWN, "hardware thermal slowdown"),
    (ThrottleReasons::SW_THERMAL_SLOWDOWN, "software thermal slowdown"),
    (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "power brake"),
    (ThrottleReasons::SW_POWER_CAP, "power cap"),
    (ThrottleReasons::SYNC_BOOST, "synchronised with a slower device"),
];

/// Devices that nobody else on this machine has while this value lives.
#[derive(Debug, Default)]
pub struct Held {
    devices: Vec<Device>,
    #[expect(dead_code, reason = "held, not read")]
    locks: Vec<File>,
}

impl Held {
    /// The devices.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }
}

/// Take `number` of this machine's accelerators. `locks` is a directory that all workers of the machine share.
///
/// # Errors
/// Why there are not enough, one sentence for the operator.
pub fn take(number: usize, locks: &Path) -> Result<Held, String> {
    if number == 0 {
        return Ok(Held::default());
    }
    let nvml = Nvml::init().map_err(|error| format!("the driver's NVML cannot be used: {error}"))?;
    let used = |uuid: &str| -> Result<u64, String> {
        let device = nvml.device_by_uuid(uuid).map_err(|error| error.to_string())?;
        device.memory_info().map(|it| it.used).map_err(|error| error.to_string())
    };
    take_from(sandbox::nvidia(Path::new("/")), number, locks, used)
}

fn take_from(
    devices: Vec<Device>,
    number: usize,
    locks: &Path,
    used_bytes: impl Fn(&str) -> Result<u64, String>,
) -> Result<Held, String> {
    fs::create_dir_all(locks).map_err(|error| format!("{}: {error}", locks.display()))?;
    let (mut taken, mut kept) = (Vec::new(), Vec::new());
    let mut reasons = Vec::new();
    for device in devices {
        if taken.len() == number {
            break;
        }
        match lock(&device, locks).and_then(|lock| free(&device, &used_bytes).map(|()| lock)) {
            Ok(lock) => {
                kept.push(lock);
                taken.push(device);
            }
            Err(reason) => reasons.push(format!("{}: {reason}", device.uuid)),
        }
    }
    if taken.len() == number {
        return Ok(Held { devices: taken, locks: kept });
    }
    reasons.push(format!("{number} are needed, {} can be had", taken.len()));
    Err(format!("not enough accelerators are free: {}", reasons.join("; ")))
}

fn lock(device: &Device, locks: &Path) -> Result<File, String> {
    let name: String =
        device.uuid.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect();
    let path: PathBuf = locks.join(name + ".lock");
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.try_lock().map_err(|_| "another worker uses it".to_owned())?;
    Ok(file)
}

fn free(device: &Device, used_bytes: impl Fn(&str) -> Result<u64, String>) -> Result<(), String> {
    let used = used_bytes(&device.uuid)?;
    if used > FREE_BYTES { Err(format!("{} MiB of its memory are in use", used >> 20)) } else { Ok(()) }
}

/// Looks at devices from its start until [`Monitor::finish`].
#[derive(Debug)]
pub(crate) struct Monitor {
    /// Dropped to stop.
    stop: Sender<()>,
    watcher: Option<JoinHandle<Vec<DeviceUse>>>,
}

impl Monitor {
    pub(crate) fn start(devices: &[Device]) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let devices = devices.to_vec();
        let watcher = (!devices.is_empty()).then(|| {
            thread::spawn(move || {
                let mut uses: Vec<DeviceUse> = devices.iter().map(unseen).collect();
                // Without NVML the names are all there is to tell.
                let Ok(nvml) = Nvml::init() else { return uses };
                let first: Vec<Option<u64>> = uses.iter().map(|it| energy(&nvml, &it.uuid)).collect();
                loop {
                    for it in &mut uses {
                        look(&nvml, it);
                    }
                    if stopped.recv_timeout(SAMPLE_PERIOD) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                }
                for (it, first) in uses.iter_mut().zip(first) {
                    let spent =
                        energy(&nvml, &it.uuid).zip(first).map(|(last, first)| last.saturating_sub(first));
                    it.energy_joules = spent.map(|millijoules| millijoules as f64 * 1e-3);
                }
                uses
            })
        });
        Self { stop, watcher }
    }

    /// What was seen.
    pub(crate) fn finish(self) -> Vec<DeviceUse> {
        let Self { stop, watcher } = self;
        drop(stop);
        watcher.and_then(|it| it.join().ok()).unwrap_or_default()
    }
}

fn unseen(device: &Device) -> DeviceUse {
    DeviceUse {
        name: device.name.clone(),
        uuid: device.uuid.clone(),
        driver: None,
        peak_memory_bytes: None,
        energy_joules: None,
        clock_mhz: None,
        throttling: Vec::new(),
    }
}

fn energy(nvml: &Nvml, uuid: &str) -> Option<u64> {
    nvml.device_by_uuid(uuid).ok()?.total_energy_consumption().ok()
}

fn look(nvml: &Nvml, seen: &mut DeviceUse) {
    let Ok(device) = nvml.device_by_uuid(seen.uuid.as_str()) else { return };
    seen.driver = seen.driver.take().or_else(|| nvml.sys_driver_version().ok());
    let used = device.memory_info().ok().map(|it| it.used);
    seen.peak_memory_bytes = seen.peak_memory_bytes.max(used);
    if let Ok(clock) = device.clock_info(Clock::SM) {
        let (low, high) = seen.clock_mhz.unwrap_or((clock, clock));
        seen.clock_mhz = Some((low.min(clock), high.max(clock)));
    }
    if let Ok(reasons) = device.current_throttle_reasons() {
        for (_, words) in THROTTLING.iter().filter(|(reason, _)| reasons.contains(*reason)) {
            if !seen.throttling.iter().any(|it| it == words) {
                seen.throttling.push((*words).to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Devices that are only names: there is no driver here, so locks and the check of memory are all that is tried.
    fn devices(uuids: &[&str]) -> Vec<Device> {
        let device = |uuid: &&str| Device {
            name: "NVIDIA L4".to_owned(),
            uuid: (*uuid).to_owned(),
            nodes: Vec::new(),
            libraries: Vec::new(),
        };
        uuids.iter().map(device).collect()
    }

    fn uuids(held: &Held) -> Vec<&str> {
        held.devices().iter().map(|it| it.uuid.as_str()).collect()
    }

    #[test]
    fn a_device_is_one_attempts_until_it_is_let_go() {
        let locks = tempfile::tempdir().unwrap();
        let take = || take_from(devices(&["GPU-a", "GPU-b"]), 1, locks.path(), |_| Ok(0));
        let (first, second) = (take().unwrap(), take().unwrap());
        assert_eq!((uuids(&first), uuids(&second)), (vec!["GPU-a"], vec!["GPU-b"]));
        let refused = take().unwrap_err();
        assert!(refused.contains("GPU-a: another worker uses it"), "{refused}");
        drop(first);
        assert_eq!(uuids(&take().unwrap()), ["GPU-a"]);
    }

    #[test]
    fn a_device_whose_memory_is_in_use_is_left_alone_and_named() {
        let locks = tempfile::tempdir().unwrap();
        let used = |uuid: &str| match uuid {
            "GPU-a" => Ok(3 << 30),
            "GPU-b" => Err("the device is lost".to_owned()),
            _ => Ok(400 << 20),
        };
        let all = || devices(&["GPU-a", "GPU-b", "GPU-c"]);
        assert_eq!(uuids(&take_from(all(), 1, locks.path(), used).unwrap()), ["GPU-c"]);
        let refused = take_from(all(), 2, locks.path(), used).unwrap_err();
        for reason in
            ["GPU-a: 3072 MiB of its memory are in use", "GPU-b: the device is lost", "2 are needed, 1"]
        {
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn without_accelerators_nothing_is_needed_and_nothing_is_watched() {
        let held = take(0, Path::new("/nonexistent")).unwrap();
        assert_eq!(Monitor::start(held.devices()).finish(), []);
    }
}
