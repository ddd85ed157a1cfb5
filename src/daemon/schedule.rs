//! The tick: tokio-cron-scheduler with one job per second in UTC. A tick only wakes the loop. The
//! loop decides what is due with `config::recurrence`, because the scheduler fixes a zone's offset
//! when a job is created and neither awaits nor serialises what it starts. The scheduler also
//! follows the wall clock, and stays silent after the clock was set back until it has caught up, so
//! an additional tick comes at a steady interval.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::wake::Wake;

/// Every second.
const EVERY_SECOND: &str = "* * * * * *";

/// A tick comes at least this often, whatever the wall clock does.
const STEADY_TICK_INTERVAL: Duration = Duration::from_secs(10);

/// Starts the ticks. A tick that finds the loop's queue full is dropped, because the next tick
/// means the same.
///
/// # Errors
/// Fails when the scheduler does not start.
pub async fn start(wakes: mpsc::Sender<Wake>) -> Result<JobScheduler, JobSchedulerError> {
    let steady_wakes = wakes.clone();
    tokio::spawn(async move {
        let mut ticks = interval(STEADY_TICK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !steady_wakes.is_closed() {
            ticks.tick().await;
            let _ = steady_wakes.try_send(Wake::Tick);
        }
    });
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_async(EVERY_SECOND, move |_, _| {
        let wakes = wakes.clone();
        Box::pin(async move {
            let _ = wakes.try_send(Wake::Tick);
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
