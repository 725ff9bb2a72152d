//! The shop as data: who runs where, what customers do, what each step costs, logs and fails with.
//!
//! A *journey* is what a customer asks of the gateway, a tree of *steps*. Texts hold placeholders in braces that are
//! filled once a journey: `{customer}`, `{order}`, `{sku}`, `{items}`, `{amount}`, `{carrier}`.

/// One service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) language: &'static str,
    /// The library that makes its server spans.
    pub(super) scope: &'static str,
    pub(super) pods: &'static [(&'static str, &'static str)],
}

pub(super) const NAMESPACE: &str = "shop";
pub(super) const CLUSTER: &str = "shop-eu-1";

pub(super) const GATEWAY: usize = 0;
pub(super) const CHECKOUT: usize = 1;
pub(super) const CART: usize = 2;
pub(super) const PAYMENT: usize = 3;
pub(super) const INVENTORY: usize = 4;
pub(super) const SHIPPING: usize = 5;

/// The services, by the numbers above; pods with the node each runs on.
pub(super) static SERVICES: [Service; 6] = [
    Service {
        name: "gateway",
        version: "2.14.0",
        language: "nodejs",
        scope: "@opentelemetry/instrumentation-http",
        pods: &[("gateway-6d5f7c9b4-8xk2p", "node-a"), ("gateway-6d5f7c9b4-wq7zn", "node-b")],
    },
    Service {
        name: "checkout",
        version: "1.31.2",
        language: "go",
        scope: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        pods: &[("checkout-7f9c8d6b5-2mvfh", "node-a"), ("checkout-7f9c8d6b5-lk9sd", "node-c")],
    },
    Service {
        name: "cart",
        version: "4.2.7",
        language: "dotnet",
        scope: "OpenTelemetry.Instrumentation.AspNetCore",
        pods: &[("cart-58c6b7f4d9-pn4rt", "node-b")],
    },
    Service {
        name: "payment",
        version: "3.0.1",
        language: "java",
        scope: "io.opentelemetry.spring-webmvc-6.0",
        pods: &[("payment-5b8d9f7c6-j6wqx", "node-c"), ("payment-5b8d9f7c6-t2hnb", "node-a")],
    },
    Service {
        name: "inventory",
        version: "1.9.4",
        language: "python",
        scope: "opentelemetry.instrumentation.flask",
        pods: &[("inventory-84f6d5c7b-c5kxm", "node-b"), ("inventory-84f6d5c7b-zr8vp", "node-c")],
    },
    Service {
        name: "shipping",
        version: "0.22.0",
        language: "rust",
        scope: "opentelemetry-instrumentation-tower",
        pods: &[("shipping-6c7b9d8f5-h3jfd", "node-a")],
    },
];

/// What a step does.
#[derive(Debug)]
pub(super) enum Action {
    /// Calls another service: a client span here, a server span and the step's children there.
    Call { service: usize, method: &'static str, route: &'static str, path: &'static str },
    /// Asks a database or cache.
    Database {
        system: &'static str,
        namespace: &'static str,
        operation: &'static str,
        collection: &'static str,
        text: &'static str,
    },
    /// Asks somebody outside the shop.
    Outside { host: &'static str, method: &'static str, path: &'static str },
    /// Puts a message on a queue; another service takes it later, with the step's children.
    Publish { topic: &'static str, consumer: usize },
    /// Works.
    Work { name: &'static str },
}

/// A step of a journey.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) action: Action,
    /// Median of the time the step takes beside its children, in microseconds.
    pub(super) median_micros: u32,
    pub(super) children: &'static [Step],
    pub(super) failure: Option<&'static Failure>,
    pub(super) logs: &'static [Line],
}

/// How a step fails.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) probability: f64,
    /// In a bad minute.
    pub(super) bad_minute_probability: f64,
    pub(super) exception: &'static str,
    pub(super) message: &'static str,
    pub(super) stacktrace: &'static str,
    /// HTTP status of the answer that says so.
    pub(super) status: u16,
    /// How often the caller tries again.
    pub(super) retries: u32,
    /// Whether the journey goes on without it.
    pub(super) is_optional: bool,
}

/// When a line is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Begin,
    End,
    /// At its end, where it took more than three times its median.
    Slow,
    Failed,
}

/// A log line of a step.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) when: When,
    /// OpenTelemetry's severity number.
    pub(super) severity: u8,
    pub(super) body: &'static str,
}

const DEBUG: u8 = 5;
const INFO: u8 = 9;
const WARN: u8 = 13;
const ERROR: u8 = 17;

const fn line(when: When, severity: u8, body: &'static str) -> Line {
    Line { when, severity, body }
}

/// What customers do.
#[derive(Debug)]
pub(super) struct Journey {
    /// How often, beside the others.
    pub(super) weight: u32,
    /// Always a call of the gateway.
    pub(super) root: Step,
    /// Whether it ends in an order.
    pub(super) is_order: bool,
}

/// About how many spans and log records a journey makes; a test measures it.
pub(super) const RECORDS_PER_JOURNEY: f64 = 9.1;

/// In a bad minute payment's bank is slow and fails often: the last of every three.
pub(super) fn is_bad_minute(time_unix_nano: i64) -> bool {
    time_unix_nano.div_euclid(60_000_000_000).rem_euclid(3) == 2
}

/// How much slower the bank is then.
pub(super) const BAD_MINUTE_FACTOR: i64 = 6;
pub(super) const BANK: &str = "api.acmebank.example";

pub(super) const SKUS: [&str; 8] =
    ["whale-mug", "krill-socks", "sonar-lamp", "fin-poster", "blowhole-kettle", "pod-hoodie", "orca-pin", "kelp-tea"];
pub(super) const CARRIERS: [&str; 3] = ["parcelfin", "bluecourier", "northpost"];
pub(super) const PAYMENT_METHODS: [&str; 3] = ["card", "paypal", "invoice"];

const CACHE_SLOW: &Failure = &Failure {
    probability: 0.01,
    bad_minute_probability: 0.01,
    exception: "StackExchange.Redis.RedisTimeoutException",
    message: "Timeout performing HGETALL cart:{customer} (2000ms)",
    stacktrace: "StackExchange.Redis.RedisTimeoutException: Timeout performing HGETALL\n   at CartStore.LoadAsync(String key) in /src/CartStore.cs:line 88\n   at CartService.GetCart(ServerCallContext context) in /src/CartService.cs:line 41",
    status: 503,
    retries: 1,
    is_optional: false,
};

const BANK_SILENT: &Failure = &Failure {
    probability: 0.03,
    bad_minute_probability: 0.42,
    exception: "java.net.SocketTimeoutException",
    message: "Read timed out after 3000 ms: POST https://api.acmebank.example/v2/charges",
    stacktrace: "java.net.SocketTimeoutException: Read timed out\n\tat shop.payment.BankClient.charge(BankClient.java:112)\n\tat shop.payment.ChargeService.charge(ChargeService.java:57)\n\tat shop.payment.ChargeController.post(ChargeController.java:34)",
    status: 504,
    retries: 2,
    is_optional: false,
};

const OUT_OF_STOCK: &Failure = &Failure {
    probability: 0.02,
    bad_minute_probability: 0.02,
    exception: "inventory.errors.OutOfStock",
    message: "only 0 of {items} units of {sku} left",
    stacktrace: "Traceback (most recent call last):\n  File \"/app/inventory/views.py\", line 73, in reserve\n    stock.reserve(sku, count)\n  File \"/app/inventory/stock.py\", line 121, in reserve\n    raise OutOfStock(sku, count)\ninventory.errors.OutOfStock: only 0 left",
    status: 409,
    retries: 0,
    is_optional: false,
};

const CARRIER_DOWN: &Failure = &Failure {
    probability: 0.05,
    bad_minute_probability: 0.05,
    exception: "reqwest::Error",
    message: "connection closed before message completed: POST https://{carrier}.example/labels",
    stacktrace: "shipping::carrier::label at src/carrier.rs:66\nshipping::orders::handle at src/orders.rs:41",
    status: 502,
    retries: 1,
    is_optional: true,
};

const fn leaf(action: Action, median_micros: u32) -> Step {
    Step { action, median_micros, children: &[], failure: None, logs: &[] }
}

const fn risky(action: Action, median_micros: u32, failure: &'static Failure, logs: &'static [Line]) -> Step {
    Step { action, median_micros, children: &[], failure: Some(failure), logs }
}

const fn call(
    service: usize,
    (method, route, path): (&'static str, &'static str, &'static str),
    median_micros: u32,
    logs: &'static [Line],
    children: &'static [Step],
) -> Step {
    Step { action: Action::Call { service, method, route, path }, median_micros, children, failure: None, logs }
}

const fn postgres(
    namespace: &'static str,
    operation: &'static str,
    collection: &'static str,
    text: &'static str,
) -> Action {
    Action::Database { system: "postgresql", namespace, operation, collection, text }
}

const fn redis(operation: &'static str, text: &'static str) -> Action {
    Action::Database { system: "redis", namespace: "0", operation, collection: "cart", text }
}

/// What customers do, by how often.
pub(super) static JOURNEYS: [Journey; 5] = [
    Journey { weight: 40, root: BROWSE, is_order: false },
    Journey { weight: 28, root: VIEW, is_order: false },
    Journey { weight: 18, root: ADD_TO_CART, is_order: false },
    Journey { weight: 10, root: BUY, is_order: true },
    Journey { weight: 4, root: TRACK, is_order: false },
];

const BROWSE: Step = call(
    GATEWAY,
    ("GET", "/products", "/products?page=1"),
    1_800,
    &[line(When::End, INFO, "GET /products {status} {ms}ms customer={customer}")],
    &[call(
        INVENTORY,
        ("GET", "/stock", "/stock?page=1"),
        2_400,
        &[
            line(When::Begin, DEBUG, "listing stock page=1 customer={customer}"),
            line(When::Slow, WARN, "listing stock took {ms} ms, expected under 20 ms"),
        ],
        &[leaf(
            postgres(
                "inventory",
                "SELECT",
                "stock",
                "SELECT sku, name, price, available FROM stock ORDER BY rank LIMIT $1",
            ),
            2_600,
        )],
    )],
);

const VIEW: Step = call(
    GATEWAY,
    ("GET", "/products/{sku}", "/products/{sku}"),
    1_400,
    &[line(When::End, INFO, "GET /products/{sku} {status} {ms}ms customer={customer}")],
    &[
        call(
            INVENTORY,
            ("GET", "/stock/{sku}", "/stock/{sku}"),
            1_500,
            &[line(When::End, INFO, "{\"event\":\"stock_read\",\"sku\":\"{sku}\",\"available\":true}")],
            &[leaf(
                postgres("inventory", "SELECT", "stock", "SELECT sku, price, available FROM stock WHERE sku = $1"),
                900,
            )],
        ),
        leaf(Action::Work { name: "render product page" }, 3_200),
    ],
);

const ADD_TO_CART: Step = call(
    GATEWAY,
    ("POST", "/cart/items", "/cart/items"),
    1_600,
    &[line(When::End, INFO, "POST /cart/items {status} {ms}ms customer={customer}")],
    &[call(
        CART,
        ("POST", "/carts/{customer}/items", "/carts/{customer}/items"),
        1_900,
        &[
            line(When::Begin, INFO, "adding {items} x {sku} to cart of {customer}"),
            line(When::Failed, ERROR, "cart of {customer} could not be written: {error}"),
        ],
        &[
            risky(redis("HGETALL", "HGETALL cart:{customer}"), 600, CACHE_SLOW, CACHE_LINES),
            leaf(redis("HSET", "HSET cart:{customer} {sku} {items}"), 500),
            leaf(redis("EXPIRE", "EXPIRE cart:{customer} 86400"), 300),
        ],
    )],
);

const CACHE_LINES: &[Line] = &[line(When::Failed, WARN, "redis did not answer, trying again: {error}")];

const BUY: Step = call(
    GATEWAY,
    ("POST", "/checkout", "/checkout"),
    2_300,
    &[
        line(When::End, INFO, "POST /checkout {status} {ms}ms customer={customer}"),
        line(When::Failed, ERROR, "POST /checkout failed for {customer}: {error}"),
    ],
    &[call(
        CHECKOUT,
        ("POST", "/orders", "/orders"),
        3_800,
        &[
            line(
                When::Begin,
                INFO,
                "level=info msg=\"placing order\" order_id={order} customer={customer} items={items}",
            ),
            line(When::End, INFO, "level=info msg=\"order placed\" order_id={order} amount={amount} currency=EUR"),
            line(When::Failed, ERROR, "level=error msg=\"order failed\" order_id={order} err=\"{error}\""),
        ],
        BUY_STEPS,
    )],
);

const BUY_STEPS: &[Step] = &[
    call(
        CART,
        ("GET", "/carts/{customer}", "/carts/{customer}"),
        1_200,
        &[line(When::End, DEBUG, "cart of {customer} has {items} items")],
        &[risky(redis("HGETALL", "HGETALL cart:{customer}"), 600, CACHE_SLOW, CACHE_LINES)],
    ),
    leaf(Action::Work { name: "price cart" }, 2_100),
    call(
        INVENTORY,
        ("POST", "/reservations", "/reservations"),
        2_600,
        &[line(When::Begin, INFO, "reserving {items} x {sku} for {order}")],
        &[risky(
            postgres(
                "inventory",
                "UPDATE",
                "stock",
                "UPDATE stock SET available = available - $1 WHERE sku = $2 AND available >= $1",
            ),
            4_800,
            OUT_OF_STOCK,
            &[
                line(When::Failed, WARN, "reservation for {order} refused: {error}"),
                line(When::Slow, WARN, "waited {ms} ms for a row lock on stock, sku={sku}"),
            ],
        )],
    ),
    call(
        PAYMENT,
        ("POST", "/charges", "/charges"),
        4_200,
        &[
            line(When::Begin, INFO, "Charging {amount} EUR for order {order}"),
            line(When::End, INFO, "Charge settled order={order} amount={amount} duration={ms}ms"),
            line(When::Slow, WARN, "Slow charge order={order}: {ms} ms"),
        ],
        &[
            risky(
                Action::Outside { host: BANK, method: "POST", path: "/v2/charges" },
                88_000,
                BANK_SILENT,
                &[line(When::Failed, ERROR, "Charge attempt failed for order {order}: {error}")],
            ),
            leaf(
                postgres(
                    "payment",
                    "INSERT",
                    "charges",
                    "INSERT INTO charges (order_id, amount_cents, currency, method) VALUES ($1, $2, $3, $4)",
                ),
                2_200,
            ),
        ],
    ),
    leaf(
        postgres(
            "checkout",
            "INSERT",
            "orders",
            "INSERT INTO orders (id, customer, amount_cents, state) VALUES ($1, $2, $3, 'paid')",
        ),
        2_000,
    ),
    Step {
        action: Action::Publish { topic: "orders", consumer: SHIPPING },
        median_micros: 900,
        failure: None,
        logs: &[
            line(When::Begin, INFO, "order {order} taken from queue"),
            line(When::End, INFO, "label printed for order {order}, carrier {carrier}"),
        ],
        children: &[
            risky(
                Action::Outside { host: "{carrier}.example", method: "POST", path: "/labels" },
                61_000,
                CARRIER_DOWN,
                &[line(
                    When::Failed,
                    WARN,
                    "carrier {carrier} did not answer, order {order} goes to the next run: {error}",
                )],
            ),
            leaf(
                postgres(
                    "shipping",
                    "INSERT",
                    "parcels",
                    "INSERT INTO parcels (order_id, carrier, state) VALUES ($1, $2, 'announced')",
                ),
                1_700,
            ),
        ],
    },
    leaf(redis("DEL", "DEL cart:{customer}"), 300),
];

const TRACK: Step = call(
    GATEWAY,
    ("GET", "/orders/{order}", "/orders/{order}"),
    1_500,
    &[line(When::End, INFO, "GET /orders/{order} {status} {ms}ms customer={customer}")],
    &[call(
        SHIPPING,
        ("GET", "/parcels/{order}", "/parcels/{order}"),
        900,
        &[line(When::End, DEBUG, "parcel of {order} is with {carrier}")],
        &[leaf(
            postgres("shipping", "SELECT", "parcels", "SELECT state, carrier FROM parcels WHERE order_id = $1"),
            1_100,
        )],
    )],
);
