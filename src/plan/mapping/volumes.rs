//! Which claims stand for a task's volumes? Those of file systems, and those made for each task.

use super::derived::{self, Need};
use super::launch::{Launch, LaunchVolume};
use super::resolve::Resolver;
use super::tables::{FileSystemRow, Tables, VolumeDriverRow};
use crate::ecs::reference::last_part;
use crate::plan::task_definition::{FileSystem, Identifiers, Stored, StoredVolume};

/// GiB of a volume for which nobody says a size.
const SIZE: i64 = 10;

/// What a volume is in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A claim that is there.
    Named {
        /// Its name.
        claim: String,
        /// The directory in it, without `/` in front; none for all of it.
        directory: Option<String>,
    },
    /// A claim of the task's own, which goes with it.
    Fresh {
        /// The StorageClass; none for the cluster's default.
        storage_class: Option<String>,
        /// GiB.
        size: i64,
        /// The VolumeSnapshot from which it starts.
        snapshot: Option<String>,
    },
}

impl Resolver<'_> {
    /// The claims of a task definition's own volumes, by the volumes' Kubernetes names.
    pub(super) fn volumes(&mut self, identifiers: &Identifiers) {
        for volume in &identifiers.volumes {
            let claim = match &volume.stored {
                Some(Stored::FileSystem(file_system)) => self.file_system(volume, file_system),
                Some(Stored::Driver { driver, size }) => self.driver(volume, driver, *size),
                None => continue,
            };
            self.names.volumes.insert(volume.dns_name.clone(), claim);
        }
    }

    /// The claims of the volumes that are configured at launch.
    pub(super) fn launched(&mut self, identifiers: &Identifiers, launch: &Launch) {
        for volume in identifiers.volumes.iter().filter(|volume| volume.stored.is_none()) {
            if let Some(given) = launch.volumes.iter().find(|given| given.name == volume.name) {
                let claim = self.block_volume(given);
                self.names.volumes.insert(volume.dns_name.clone(), claim);
            } else {
                self.findings.differs(
                    format!("volumes[{}].configuredAtLaunch", volume.at),
                    "is a fresh directory, since no volumeConfigurations of the service fill it",
                );
            }
        }
    }

    fn file_system(&mut self, volume: &StoredVolume, file_system: &FileSystem) -> Claim {
        let path = format!("volumes[{}].{}", volume.at, file_system.member);
        let (claim, encrypted) =
            if let Some((at, row)) = find_file_system(&self.mapping.tables, file_system) {
                self.used("fileSystems", at, &row.raw);
                (row.claim.clone(), row.encrypted)
            } else {
                let claim = derived::claim(file_system);
                if !file_system.encrypted {
                    let how = format!("is PersistentVolumeClaim {claim}, which must be there");
                    self.unmapped(path.clone(), &how, derived::file_system_row(file_system));
                }
                (claim, false)
            };
        if file_system.encrypted && !encrypted {
            self.unencrypted(&path, file_system);
        }
        Claim::Named { claim, directory: file_system.directory.clone() }
    }

    /// Encryption that is asked for is not left out.
    fn unencrypted(&mut self, path: &str, file_system: &FileSystem) {
        let need = derived::file_system_row(file_system);
        let member = path.rsplit_once('.').map_or(path, |(configuration, _)| configuration);
        let message = format!(
            "nothing says that what stands for the file system encrypts what is sent to it; where its \
             claim's driver does, {}",
            self.line(&need)
        );
        self.findings.refuse_value(format!("{member}.transitEncryption"), "ENABLED", message);
        self.need(need);
    }

    fn driver(&mut self, volume: &StoredVolume, driver: &str, size: Option<i64>) -> Claim {
        let found = find_driver(&self.mapping.tables, driver);
        if let Some((at, row)) = found {
            self.used("volumeDrivers", at, &row.raw);
        } else {
            self.unmapped(
                format!("volumes[{}].dockerVolumeConfiguration.driver", volume.at),
                "is a claim of the task's own, of the cluster's default StorageClass; to say so, or with \
                 `storageClassName` in it for another",
                derived::driver_row(driver),
            );
        }
        let row = found.map(|(_, row)| row);
        Claim::Fresh {
            storage_class: row.and_then(|row| row.storage_class.clone()),
            size: size.or_else(|| row?.size).unwrap_or(SIZE),
            snapshot: None,
        }
    }

    fn block_volume(&mut self, given: &LaunchVolume) -> Claim {
        let kind = given.kind.as_deref();
        let found = kind.and_then(|kind| find_driver(&self.mapping.tables, kind));
        if let Some((at, row)) = found {
            self.used("volumeDrivers", at, &row.raw);
        } else if let Some(kind) = kind {
            self.unmapped_at_launch(
                format!("volumeConfigurations[{}].managedEBSVolume.volumeType", given.at),
                "is of the cluster's default StorageClass; to say so, or with `storageClassName` in it for \
                 another",
                derived::driver_row(kind),
            );
        }
        let row = found.map(|(_, row)| row);
        Claim::Fresh {
            storage_class: row.and_then(|row| row.storage_class.clone()),
            size: given.size.or_else(|| row?.size).unwrap_or(SIZE),
            snapshot: given.snapshot.clone(),
        }
    }

    /// The zones of the subnets; none where one of them may be anywhere.
    pub(super) fn zones(&mut self, launch: &Launch) {
        let mut zones = std::collections::BTreeSet::new();
        let mut anywhere = launch.subnets.is_empty();
        let mut needs: Vec<Need> = Vec::new();
        for subnet in &launch.subnets {
            let rows = self.mapping.tables.subnets.iter().enumerate();
            let Some((at, row)) = rows.into_iter().find(|(_, row)| row.subnet == *subnet) else {
                needs.push(derived::subnet_row(subnet));
                continue;
            };
            self.used("subnets", at, &row.raw);
            match &row.zone {
                Some(zone) => {
                    zones.insert(zone.clone());
                }
                None => anywhere = true,
            }
        }
        if let Some(first) = needs.first().cloned() {
            anywhere = true;
            self.unmapped_at_launch(
                "networkConfiguration.awsvpcConfiguration.subnets".to_owned(),
                "tasks run in any zone; to say so, or with `zone` in each row to keep them to the \
                 subnets' zones",
                first,
            );
            for need in needs {
                self.need(need);
            }
        }
        self.names.zones = if anywhere { Vec::new() } else { zones.into_iter().collect() };
    }
}

/// Whether two texts name one thing: the same text, or the same last part where one is no ARN.
fn is_same(one: &str, other: &str) -> bool {
    let is_bare = |text: &str| !text.starts_with("arn:");
    one == other || ((is_bare(one) || is_bare(other)) && last_part(one) == last_part(other))
}

/// The row of a file system: one by an access point is another than the whole.
fn find_file_system<'a>(
    tables: &'a Tables,
    wanted: &FileSystem,
) -> Option<(usize, &'a FileSystemRow)> {
    tables.file_systems.iter().enumerate().find(|(_, row)| {
        let access_point = match (&row.access_point, &wanted.access_point) {
            (None, None) => true,
            (Some(one), Some(other)) => is_same(one, other),
            (Some(_), None) | (None, Some(_)) => false,
        };
        access_point && is_same(&row.file_system, &wanted.id)
    })
}

fn find_driver<'a>(tables: &'a Tables, driver: &str) -> Option<(usize, &'a VolumeDriverRow)> {
    tables.volume_drivers.iter().enumerate().find(|(_, row)| row.driver == driver)
}
