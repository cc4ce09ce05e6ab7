//! The few calls into librdkafka that its Rust binding does not offer or offers slowly: producing
//! with a topic handle, a timestamp and headers built in place; committing without the binding's
//! own flush, which polls in slices of 100 ms; topic ids. Nothing else in this crate is unsafe.
//!
//! Every function takes the binding's client, which keeps the native one alive for the call;
//! librdkafka itself may be called from any thread.

use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

/// An error of a native call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NativeError {
    pub(crate) code: RDKafkaErrorCode,
    /// The same call may be made again.
    pub(crate) retriable: bool,
    /// The transaction must be aborted.
    pub(crate) abort: bool,
    /// The client is of no more use.
    pub(crate) fatal: bool,
}

/// Takes an error that librdkafka gave us.
///
/// # Safety
/// `error` is null or an error that the caller owns; it is gone afterwards.
unsafe fn take(error: *mut sys::rd_kafka_error_t) -> Result<(), NativeError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null and owned, as the caller promises; read before it is destroyed.
    unsafe {
        let taken = NativeError {
            code: sys::rd_kafka_error_code(error).into(),
            retriable: sys::rd_kafka_error_is_retriable(error) != 0,
            abort: sys::rd_kafka_error_txn_requires_abort(error) != 0,
            fatal: sys::rd_kafka_error_is_fatal(error) != 0,
        };
        sys::rd_kafka_error_destroy(error);
        Err(taken)
    }
}

fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

/// Commits; returns after `timeout` at the latest, then retriable: the same call goes on.
pub(crate) fn commit<C: ClientContext>(
    client: &Client<C>,
    timeout: Duration,
) -> Result<(), NativeError> {
    // SAFETY: the client lives; the error is ours.
    unsafe {
        take(sys::rd_kafka_commit_transaction(
            client.native_ptr(),
            millis(timeout),
        ))
    }
}

/// Aborts what is open.
pub(crate) fn abort<C: ClientContext>(
    client: &Client<C>,
    timeout: Duration,
) -> Result<(), NativeError> {
    // SAFETY: as above.
    unsafe {
        take(sys::rd_kafka_abort_transaction(
            client.native_ptr(),
            millis(timeout),
        ))
    }
}

/// Initialises transactions: fences every earlier producer of this id.
pub(crate) fn init<C: ClientContext>(
    client: &Client<C>,
    timeout: Duration,
) -> Result<(), NativeError> {
    // SAFETY: as above.
    unsafe {
        take(sys::rd_kafka_init_transactions(
            client.native_ptr(),
            millis(timeout),
        ))
    }
}

/// Begins a transaction; local, does not wait.
pub(crate) fn begin<C: ClientContext>(client: &Client<C>) -> Result<(), NativeError> {
    // SAFETY: as above.
    unsafe { take(sys::rd_kafka_begin_transaction(client.native_ptr())) }
}

/// A broker's id, once one has answered.
pub(crate) fn some_broker<C: ClientContext>(client: &Client<C>, timeout: Duration) -> Option<i32> {
    // SAFETY: as above; returns a number.
    let id = unsafe { sys::rd_kafka_controllerid(client.native_ptr(), millis(timeout)) };
    (id >= 0).then_some(id)
}

/// A topic's handle, so that no record is looked up by name.
pub(crate) struct Topic(NonNull<sys::rd_kafka_topic_t>);

// SAFETY: librdkafka's topic handles are reference-counted and may be used from any thread.
unsafe impl Send for Topic {}

impl Topic {
    /// None for a name that no topic can have.
    ///
    /// The handle keeps librdkafka's own reference to the client's inside; its owner drops it
    /// before the client (`TransactionalProducer` declares it first).
    pub(crate) fn new<C: ClientContext>(client: &Client<C>, name: &str) -> Option<Topic> {
        let name = CString::new(name).ok()?;
        // SAFETY: the client lives, the name is a C string that librdkafka copies; a null
        // configuration means the client's default.
        let topic =
            unsafe { sys::rd_kafka_topic_new(client.native_ptr(), name.as_ptr(), ptr::null_mut()) };
        NonNull::new(topic).map(Topic)
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: ours since `new`, given back once.
        unsafe { sys::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

/// Headers that a record is about to take.
pub(crate) struct HeaderList(NonNull<sys::rd_kafka_headers_t>);

impl HeaderList {
    pub(crate) fn with_capacity(count: usize) -> Option<HeaderList> {
        // SAFETY: allocates; null is looked at.
        NonNull::new(unsafe { sys::rd_kafka_headers_new(count) }).map(HeaderList)
    }

    /// Adds a header whose name is bytes without a zero; both are copied.
    pub(crate) fn add_named(&mut self, name: &[u8], value: &[u8]) {
        // SAFETY: as of `add`; the name's length is given.
        unsafe {
            sys::rd_kafka_header_add(
                self.0.as_ptr(),
                name.as_ptr().cast(),
                name.len() as isize,
                value.as_ptr().cast(),
                value.len() as isize,
            );
        }
    }

    /// Adds a header; both are copied.
    #[inline]
    pub(crate) fn add(&mut self, name: &'static CStr, value: &[u8]) {
        // SAFETY: the list is ours; name and value are valid for their lengths and are copied.
        // The call fails on read-only lists alone, which this is not.
        unsafe {
            sys::rd_kafka_header_add(
                self.0.as_ptr(),
                name.as_ptr(),
                name.count_bytes() as isize,
                value.as_ptr().cast(),
                value.len() as isize,
            );
        }
    }
}

impl Drop for HeaderList {
    fn drop(&mut self) {
        // SAFETY: ours, as nobody took it (`produce` forgets those that were taken).
        unsafe { sys::rd_kafka_headers_destroy(self.0.as_ptr()) }
    }
}

/// One message to produce.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a Topic,
    pub(crate) partition: i32,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp_ms: i64,
}

/// Puts a message, copied, into the client's queue. On `QueueFull` the headers come back.
#[inline]
pub(crate) fn produce<C: ClientContext>(
    client: &Client<C>,
    message: &Outgoing<'_>,
    headers: Option<HeaderList>,
) -> Result<(), (RDKafkaErrorCode, Option<HeaderList>)> {
    use sys::rd_kafka_vtype_t as V;
    type U = sys::rd_kafka_vu_s__bindgen_ty_1;
    let mem = |bytes: &[u8]| sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
        ptr: bytes.as_ptr().cast_mut().cast(),
        size: bytes.len(),
    };
    let value = message.value.map_or(
        sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
            ptr: ptr::null_mut(),
            size: 0,
        },
        mem,
    );
    let vu = |vtype, u: U| sys::rd_kafka_vu_s { vtype, u };
    let list = headers.as_ref().map_or(ptr::null_mut(), |h| h.0.as_ptr());
    let arguments = [
        vu(
            V::RD_KAFKA_VTYPE_RKT,
            U {
                rkt: message.topic.0.as_ptr(),
            },
        ),
        vu(
            V::RD_KAFKA_VTYPE_PARTITION,
            U {
                i32_: message.partition,
            },
        ),
        vu(
            V::RD_KAFKA_VTYPE_MSGFLAGS,
            U {
                i: sys::RD_KAFKA_MSG_F_COPY,
            },
        ),
        vu(
            V::RD_KAFKA_VTYPE_KEY,
            U {
                mem: mem(message.key),
            },
        ),
        vu(V::RD_KAFKA_VTYPE_VALUE, U { mem: value }),
        vu(
            V::RD_KAFKA_VTYPE_TIMESTAMP,
            U {
                i64_: message.timestamp_ms,
            },
        ),
        vu(V::RD_KAFKA_VTYPE_HEADERS, U { headers: list }),
    ];
    // Without headers the last argument is left out.
    let count = arguments.len() - usize::from(headers.is_none());
    // SAFETY: the client and the topic live; each argument's union member is the one that its tag
    // names; key and value are valid for their lengths and copied (F_COPY) before the call
    // returns; the header list is ours, and librdkafka's from then on only on success.
    let result = unsafe {
        take(sys::rd_kafka_produceva(
            client.native_ptr(),
            arguments.as_ptr(),
            count,
        ))
    };
    match result {
        Ok(()) => {
            std::mem::forget(headers);
            Ok(())
        }
        Err(error) => Err((error.code, headers)),
    }
}

/// A topic as the brokers describe it.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) name: String,
    /// The topic's id; None where the brokers give none.
    pub(crate) id: Option<String>,
    pub(crate) partitions: i32,
    /// The least number of replicas of a partition.
    pub(crate) replicas: i32,
    pub(crate) error: Option<RDKafkaErrorCode>,
}

/// Describes topics without creating any, which a metadata request of a producer might.
pub(crate) fn describe_topics<C: ClientContext>(
    client: &Client<C>,
    names: &[&str],
    timeout: Duration,
) -> Result<Vec<Described>, RDKafkaErrorCode> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<CString> = names
        .iter()
        .map(|n| CString::new(*n).map_err(|_| RDKafkaErrorCode::InvalidArgument))
        .collect::<Result<_, _>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|n| n.as_ptr()).collect();
    let rk = client.native_ptr();
    // SAFETY: every object made here (options, collection, queue, event) is checked where it can
    // be null and destroyed once, after its last use; the names outlive the call that copies
    // them; what is read from the event is copied before the event goes.
    unsafe {
        let options = sys::rd_kafka_AdminOptions_new(
            rk,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        if options.is_null() {
            return Err(RDKafkaErrorCode::InvalidArgument);
        }
        let mut text = [0 as c_char; 256];
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options,
            millis(timeout),
            text.as_mut_ptr(),
            text.len(),
        );
        let collection =
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let queue = sys::rd_kafka_queue_new(rk);
        sys::rd_kafka_DescribeTopics(rk, collection, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, millis(timeout + Duration::from_secs(1)));
        let described = if event.is_null() {
            Err(RDKafkaErrorCode::OperationTimedOut)
        } else {
            let described = read_described(event);
            sys::rd_kafka_event_destroy(event);
            described
        };
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_TopicCollection_destroy(collection);
        sys::rd_kafka_AdminOptions_destroy(options);
        described
    }
}

/// # Safety
/// `event` is a live event, the result of DescribeTopics.
unsafe fn read_described(
    event: *mut sys::rd_kafka_event_t,
) -> Result<Vec<Described>, RDKafkaErrorCode> {
    // SAFETY: all pointers come from the event, which lives until the caller destroys it; counts
    // are what librdkafka says of its own arrays; strings are copied.
    unsafe {
        let code: RDKafkaErrorCode = sys::rd_kafka_event_error(event).into();
        if code != RDKafkaErrorCode::NoError {
            return Err(code);
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        let mut all = Vec::with_capacity(count);
        for n in 0..count {
            let topic = *topics.add(n);
            let code: RDKafkaErrorCode =
                sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(topic)).into();
            let mut partitions = 0;
            let list = sys::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
            let mut replicas = i32::MAX;
            for p in 0..partitions {
                let mut held = 0;
                sys::rd_kafka_TopicPartitionInfo_replicas(*list.add(p), &mut held);
                replicas = replicas.min(held as i32);
            }
            all.push(Described {
                name: copied(sys::rd_kafka_TopicDescription_name(topic)).unwrap_or_default(),
                id: topic_id(topic),
                partitions: partitions as i32,
                replicas: if partitions == 0 { 0 } else { replicas },
                error: (code != RDKafkaErrorCode::NoError).then_some(code),
            });
        }
        Ok(all)
    }
}

/// # Safety
/// `topic` is a live description.
unsafe fn topic_id(topic: *const sys::rd_kafka_TopicDescription_t) -> Option<String> {
    // SAFETY: the id belongs to the description; its text to the id; it is copied.
    let id = unsafe {
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        if id.is_null() {
            return None;
        }
        copied(sys::rd_kafka_Uuid_base64str(id))?
    };
    // All zeroes: the brokers know no ids.
    (!id.chars().all(|c| c == 'A')).then_some(id)
}

/// # Safety
/// `text` is null or a C string.
unsafe fn copied(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    Some(
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned(),
    )
}
