//! CPU units and MiB: how ECS writes sizes, which sizes Fargate has, and Kubernetes' quantities.

/// Reads a task's `cpu`: CPU units (`"256"`), or vCPUs (`"0.5 vCPU"`), of which one is 1024 units.
///
/// ```
/// use linkspan::ecs::cpu_memory::cpu_units;
/// assert_eq!(cpu_units("256"), Ok(256));
/// assert_eq!(cpu_units(".5 vcpu"), Ok(512));
/// assert!(cpu_units("half").is_err());
/// ```
///
/// # Errors
/// How a size is written.
pub fn cpu_units(text: &str) -> Result<i64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let units = match lower.strip_suffix("vcpu") {
        Some(vcpus) => in_1024ths(vcpus),
        None => lower.parse().ok(),
    };
    units.filter(|units| *units > 0).ok_or_else(|| {
        format!("`{text}` is no CPU size; write units (\"256\") or vCPUs (\"0.25 vCPU\")")
    })
}

/// Reads a task's `memory`: MiB (`"512"`), or GB (`"2GB"`, `"0.5 GB"`), of which one is 1024 MiB.
///
/// ```
/// use linkspan::ecs::cpu_memory::mebibytes;
/// assert_eq!(mebibytes("2 GB"), Ok(2048));
/// assert_eq!(mebibytes("0.5GB"), Ok(512));
/// ```
///
/// # Errors
/// How a size is written.
pub fn mebibytes(text: &str) -> Result<i64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let mebibytes = match lower.strip_suffix("gb") {
        Some(gigabytes) => in_1024ths(gigabytes),
        None => lower.parse().ok(),
    };
    mebibytes.filter(|mebibytes| *mebibytes > 0).ok_or_else(|| {
        format!("`{text}` is no memory size; write MiB (\"512\") or GB (\"0.5 GB\")")
    })
}

/// A decimal number times 1024, if that is whole: `0.25` → 256.
fn in_1024ths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let digits = |part: &str| if part.is_empty() { Some(0) } else { part.parse::<i64>().ok() };
    let scale = 10_i64.pow(u32::try_from(fraction.len()).ok()?);
    let scaled = digits(whole)?.checked_mul(scale)?.checked_add(digits(fraction)?)?;
    let product = scaled.checked_mul(1024)?;
    (product % scale == 0).then_some(product / scale)
}

/// CPU units as millicores, rounded up to the next: 256 → 250, 10 → 10 (9.77), 100 → 98 (97.66).
pub fn millicores(units: i64) -> i64 {
    units.saturating_mul(1000).saturating_add(1023).div_euclid(1024)
}

/// Millicores as a quantity.
pub fn cpu_quantity(millicores: i64) -> String {
    if millicores % 1000 == 0 { (millicores / 1000).to_string() } else { format!("{millicores}m") }
}

/// MiB as a quantity, in the form to which the API server normalises it.
pub fn memory_quantity(mebibytes: i64) -> String {
    const TEBIBYTE: i64 = 1024 * 1024;
    if mebibytes == 0 {
        "0".to_owned()
    } else if mebibytes % TEBIBYTE == 0 {
        format!("{}Ti", mebibytes / TEBIBYTE)
    } else if mebibytes % 1024 == 0 {
        format!("{}Gi", mebibytes / 1024)
    } else {
        format!("{mebibytes}Mi")
    }
}

/// One row of Fargate's sizes.
struct FargateSize {
    cpu: i64,
    /// Least, most and step of the memory in MiB. 256 units have 512, 1024 and 2048: a step of
    /// 512 without 1536.
    memory: (i64, i64, i64),
}

const FARGATE: [FargateSize; 7] = [
    FargateSize { cpu: 256, memory: (512, 2048, 512) },
    FargateSize { cpu: 512, memory: (1024, 4096, 1024) },
    FargateSize { cpu: 1024, memory: (2048, 8192, 1024) },
    FargateSize { cpu: 2048, memory: (4096, 16384, 1024) },
    FargateSize { cpu: 4096, memory: (8192, 30720, 1024) },
    FargateSize { cpu: 8192, memory: (16384, 61440, 4096) },
    FargateSize { cpu: 16384, memory: (32768, 122_880, 8192) },
];

/// Whether Fargate has tasks of this size: CPU in units, memory in MiB.
pub fn is_fargate_size(cpu: i64, memory: i64) -> bool {
    FARGATE.iter().any(|size| {
        let (least, most, step) = size.memory;
        size.cpu == cpu
            && (least..=most).contains(&memory)
            && (memory - least) % step == 0
            && (cpu, memory) != (256, 1536)
    })
}

/// The memory sizes that go with a CPU size, in words; none if Fargate lacks the CPU size.
pub fn fargate_memory(cpu: i64) -> Option<String> {
    let size = FARGATE.iter().find(|size| size.cpu == cpu)?;
    let (least, most, step) = size.memory;
    Some(if cpu == 256 {
        "512, 1024 or 2048 MiB".to_owned()
    } else {
        format!("{least} to {most} MiB in steps of {step}")
    })
}

/// The CPU sizes that Fargate has, in words.
pub fn fargate_cpus() -> String {
    FARGATE.iter().map(|size| size.cpu.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fargate_has_seventy_four_sizes() {
        let sizes = (1..=200_000_i64)
            .filter(|memory| memory % 256 == 0)
            .flat_map(|memory| FARGATE.iter().map(move |size| (size.cpu, memory)))
            .filter(|(cpu, memory)| is_fargate_size(*cpu, *memory));
        assert_eq!(sizes.count(), 74);
        for (cpu, memory, legal) in [
            (512, 4096, true),
            (512, 5120, false),
            (8192, 20480, true),
            (8192, 18432, false),
            (16384, 40960, true),
            (16384, 36864, false),
            (256, 1536, false),
            (300, 700, false),
        ] {
            assert_eq!(is_fargate_size(cpu, memory), legal, "{cpu}/{memory}");
        }
    }

    #[test]
    fn cpu_units_become_millicores_rounded_up() {
        for (units, milli) in
            [(256, 250), (512, 500), (128, 125), (10, 10), (100, 98), (1024, 1000)]
        {
            assert_eq!(millicores(units), milli, "{units} units");
        }
    }

    #[test]
    fn sizes_are_written_in_two_ways() {
        assert_eq!(cpu_units("1 vCPU"), Ok(1024));
        assert_eq!(cpu_units("0.5vcpu"), Ok(512));
        assert_eq!(mebibytes("2GB"), Ok(2048));
        assert_eq!(mebibytes("2048"), Ok(2048));
        for wrong in ["", "0", "-1", "1.0001 vCPU", "lots", "2TB", ". vcpu"] {
            assert!(cpu_units(wrong).is_err(), "{wrong}");
            assert!(mebibytes(wrong).is_err(), "{wrong}");
        }
    }
}
