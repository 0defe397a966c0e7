//! How many tasks does Application Auto Scaling want a service to have?
//!
//! The rules of AWS's Application Auto Scaling for the dimension `ecs:service:DesiredCount`, pure:
//! [`schedule`] says when something is due (EventBridge's rules ask it too), [`alarm`] whether a metric
//! is beyond its threshold, [`step`] and [`target_tracking`] how far the count should move, and
//! [`evaluate`] makes one decision of it all. Nothing here knows of who fetches metrics or who writes the
//! count; of Kubernetes it has the type of times only, since [`state`] lives in a status.

pub mod alarm;
mod cron;
pub mod evaluate;
pub mod metric;
pub mod schedule;
pub mod state;
pub mod step;
pub mod target_tracking;
mod text;
