//! The control client: questions to the brokers, topics, configurations. No events.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use onramp_finding::codes::kafka as codes;
use onramp_finding::codes::running::INTERNAL;
use onramp_finding::{Failure, Finding, Kind, Place};
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::context::Watch;
use crate::reader::Readers;
use crate::settings::{KafkaSettings, refused};
use crate::{native, trouble};

/// What brokers allow where they do not say: Kafka's own default of transaction.max.timeout.ms.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(900);

/// How often clients that wait are asked what they have heard.
const LISTEN_EVERY: Duration = Duration::from_secs(1);

/// A connection to the cluster for everything but events.
///
/// Cheap to clone; dropping the last one closes it.
#[derive(Clone)]
pub struct Kafka {
    pub(crate) settings: Arc<KafkaSettings>,
    inner: Arc<Inner>,
}

struct Inner {
    control: BaseProducer<Watch>,
    admin: AdminClient<Watch>,
    readers: Readers,
    watch: Watch,
    /// Some broker's id, to ask it for its settings.
    broker: i32,
}

impl Kafka {
    /// Connects and waits until a broker has answered, for `settings.patience` at most.
    ///
    /// Refused credentials end the wait at once, and are no failure to try again.
    pub fn connect(settings: KafkaSettings) -> Result<Kafka, Failure> {
        let findings = settings.check();
        if !findings.is_empty() {
            return Err(Failure::all(Kind::Configuration, findings));
        }
        let watch = Watch::default();
        let control: BaseProducer<Watch> =
            BaseProducer::from_config_and_context(&settings.plain_producer(), watch.clone())
                .map_err(|e| refused(&e))?;
        // Made before the wait, so that all connect at the same time.
        let admin = AdminClient::from_config_and_context(&settings.client(), watch.clone())
            .map_err(|e| refused(&e))?;
        let readers = Readers::new(&settings, &watch)?;
        let broker = wait_for_broker(&control, &watch, &settings)?;
        let inner = Arc::new(Inner {
            control,
            admin,
            readers,
            watch,
            broker,
        });
        look_after(&inner)?;
        Ok(Kafka {
            settings: Arc::new(settings),
            inner,
        })
    }

    /// What the gateway says of Kafka.
    pub fn settings(&self) -> &KafkaSettings {
        &self.settings
    }

    /// How long a Kafka transaction may last: what kafka.properties says, else what the brokers
    /// allow at most.
    pub fn transaction_timeout(&self) -> Result<Duration, Failure> {
        if let Some(text) = self.settings.property("transaction.timeout.ms") {
            let millis: u64 = text.parse().map_err(|_| {
                Failure::stop(
                    Kind::Configuration,
                    Finding::error(
                        &codes::PROPERTY,
                        Place::Setting("kafka.properties.transaction.timeout.ms".into()),
                        "transaction.timeout.ms is not a number of milliseconds",
                    ),
                )
            })?;
            return Ok(Duration::from_millis(millis));
        }
        let asked = self.configs(&[ResourceSpecifier::Broker(self.inner.broker)]);
        match asked {
            Ok(resources) => Ok(resources
                .iter()
                .find_map(|r| {
                    r.get("transaction.max.timeout.ms")?
                        .value
                        .as_ref()?
                        .parse()
                        .ok()
                })
                .map_or(TRANSACTION_TIMEOUT, Duration::from_millis)),
            // Describing the cluster may be forbidden where publishing is not.
            Err(failure) if failure.findings[0].code == &codes::AUTHORISATION => {
                tracing::info!(
                    seconds = TRANSACTION_TIMEOUT.as_secs(),
                    "brokers do not show transaction.max.timeout.ms, Kafka's default is taken"
                );
                Ok(TRANSACTION_TIMEOUT)
            }
            Err(failure) => Err(failure),
        }
    }

    pub(crate) fn control(&self) -> &BaseProducer<Watch> {
        &self.inner.control
    }

    pub(crate) fn admin(&self) -> &AdminClient<Watch> {
        &self.inner.admin
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.inner.readers
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.inner.watch
    }

    pub(crate) fn options(&self) -> AdminOptions {
        AdminOptions::new()
            .request_timeout(Some(self.settings.patience))
            .operation_timeout(Some(self.settings.patience))
    }

    /// The settings of brokers or topics.
    pub(crate) fn configs(
        &self,
        resources: &[ResourceSpecifier<'_>],
    ) -> Result<Vec<ConfigResource>, Failure> {
        let doing = "reading the brokers' settings";
        let options = self.options();
        let described = block_on(self.admin().describe_configs(resources, &options))
            .map_err(|e| trouble::of(&e, doing, Place::Nowhere))?;
        described
            .into_iter()
            .map(|one| one.map_err(|code| trouble::failure(code, doing, Place::Nowhere)))
            .collect()
    }
}

/// Clients that nobody uses for weeks still tell of each connection that comes and goes: somebody
/// has to hear it, or it piles up.
fn look_after(inner: &Arc<Inner>) -> Result<(), Failure> {
    let weak = Arc::downgrade(inner);
    let listen = move || {
        while let Some(inner) = weak.upgrade() {
            inner.control.poll(Duration::ZERO);
            inner.readers.listen();
            drop(inner);
            std::thread::sleep(LISTEN_EVERY);
        }
    };
    let thread = std::thread::Builder::new().name("kafka-control".into());
    match thread.spawn(listen) {
        Ok(_) => Ok(()),
        Err(e) => Err(Failure::internal(
            &INTERNAL,
            format!("no thread for Kafka's events: {e}"),
        )),
    }
}

fn wait_for_broker(
    control: &BaseProducer<Watch>,
    watch: &Watch,
    settings: &KafkaSettings,
) -> Result<i32, Failure> {
    let started = Instant::now();
    loop {
        let answer = native::some_broker(control.client(), Duration::from_millis(100));
        control.poll(Duration::ZERO);
        if let Some(broker) = answer {
            return Ok(broker);
        }
        if watch.seen().refused.is_some() || started.elapsed() >= settings.patience {
            let silent = Failure::retry(
                Kind::Broker,
                Finding::error(
                    &codes::UNREACHABLE,
                    Place::Setting("kafka.brokers".into()),
                    format!(
                        "no broker of {} answered within {} s",
                        settings.brokers.join(", "),
                        settings.patience.as_secs()
                    ),
                )
                .remedy(codes::UNREACHABLE.remedy),
            );
            return Err(trouble::explained(silent, watch, "connecting to Kafka"));
        }
    }
}

/// Waits for a future on this thread: the admin client's answers come from a thread of its own.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
