//! Drafts from a live database: they pass `check`, show nothing personal, and the database does not
//! notice.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use onramp_integration_tests::{Scenario, Servers, binary, until};
use serde_json::Value;

/// Names, types and rows that nobody would choose.
const NASTY: &str = include_str!("discover/nasty.sql");
/// What the sampled columns hold and nothing may show.
const SECRETS: &[&str] = &[
    "quillon",
    "barnabeth",
    "secretnote",
    "zz-secret",
    "7946 0958",
    "4111",
    "hunter2",
    "okonkwo",
    "sparrow lane",
    "1971",
];

fn discover(scenario: &Scenario, more: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command
        .args(["discover", "--config"])
        .arg(scenario.config())
        .args(["--domain", "nasty"])
        .args(more)
        .env("TEST_DB_PASSWORD", "onramp")
        .env("COLUMNS", "80");
    command.output().expect("the binary onramp is built")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Code, and place or file, of each finding.
fn found(said: &Value, code: &str) -> Vec<String> {
    let all = said["findings"].as_array().expect("findings");
    let of = all.iter().filter(|f| f["code"] == code);
    of.map(|f| f["place"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Every file below a folder with its text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => out.extend(files(&path)),
            false => {
                let text = std::fs::read_to_string(&path).expect("text");
                out.push((entry.file_name().to_string_lossy().into_owned(), text));
            }
        }
    }
    out.sort();
    out
}

fn drafts(scenario: &Scenario) -> Vec<(String, String)> {
    files(&scenario.folder.join("products"))
}

fn draft(scenario: &Scenario, name: &str) -> String {
    let all = drafts(scenario);
    let found = all.iter().find(|(file, _)| file == name);
    let names: Vec<&String> = all.iter().map(|(name, _)| name).collect();
    found
        .unwrap_or_else(|| panic!("{name} is not in {names:?}"))
        .1
        .clone()
}

/// Drafts stand in a folder of their domain.
async fn nasty(servers: Servers) -> Scenario {
    let scenario = Scenario::on(servers, NASTY).await;
    let file = scenario
        .gateway_file("")
        .replace("products/*.yaml", "products/**/*.yaml");
    scenario.write("onramp.yaml", &file);
    scenario
}

/// All that the catalogue has of what anybody could have made.
async fn catalogue(scenario: &Scenario) -> String {
    let sql = "
        SELECT coalesce(string_agg(line, '|' ORDER BY line), '') FROM (
          SELECT concat_ws(' ', 'class', oid, relname, relkind, relreplident, reloptions) AS line FROM pg_class WHERE relpersistence = 'p'
          UNION ALL SELECT concat_ws(' ', 'attribute', attrelid, attname, attnotnull) FROM pg_attribute
          UNION ALL SELECT concat_ws(' ', 'constraint', oid, conname) FROM pg_constraint
          UNION ALL SELECT 'publication ' || pubname FROM pg_publication
          UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
          UNION ALL SELECT 'proc ' || oid FROM pg_proc
        ) all_of_it";
    let row = scenario.db.query_one(sql, &[]).await;
    row.expect("the catalogue answers").get(0)
}

async fn a_nasty_database_is_drafted(servers: Servers) {
    let scenario = nasty(servers).await;
    let before = catalogue(&scenario).await;
    let output = discover(&scenario, &[]);
    assert_eq!(
        catalogue(&scenario).await,
        before,
        "the database is as it was"
    );
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    for line in shown.lines() {
        assert!(
            line.chars().count() <= 80,
            "wider than the terminal: {line}"
        );
    }
    let machine = discover(&scenario, &["--force", "--format", "json"]);
    assert_eq!(machine.status.code(), Some(0));
    let said = json(&machine);

    // Nothing personal is anywhere.
    let mut all = drafts(&scenario);
    all.push(("stdout".into(), shown));
    all.push(("json".into(), text(&machine.stdout)));
    for (name, text) in &all {
        for secret in SECRETS {
            let holds = text.to_lowercase().contains(secret);
            assert!(!holds, "{name} holds {secret}:\n{text}");
        }
    }

    // `check` finds what only people know, and nothing else.
    let check = Command::new(binary())
        .args(["check", "--format", "json", "--config"])
        .arg(scenario.config())
        .output()
        .expect("the binary onramp is built");
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stdout));
    let checked = json(&check);
    for finding in checked["findings"].as_array().expect("findings") {
        let code = finding["code"].as_str().expect("a code");
        assert!(["ONR-128", "ONR-630"].contains(&code), "{finding}");
    }
    let ready = drafts(&scenario)
        .iter()
        .filter(|(name, _)| name.ends_with(".yaml"))
        .count();
    assert_eq!(checked["products"], ready);
    assert_eq!(found(&checked, "ONR-630").len(), ready);

    what_was_understood(&scenario);
    what_was_told(&said);
    scenario.close().await;
}

fn what_was_understood(scenario: &Scenario) {
    let has = |file: &str, parts: &[&str]| {
        let text = draft(scenario, file);
        for part in parts {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    };
    has(
        "customers.yaml",
        &[
            "description: \"Buyers\"",
            "where: 'row.del_flg != \"Y\"'",
            "protect: { hmac: pii }",
            "\"B\": BUSINESS  # 20",
            "parse: \"%Y%m%d\"",
            "# children:",
            "bool(row.mail_ok)",
        ],
    );
    has(
        "order-positions.yaml",
        &[
            "from: \"Straße\"",
            "row.`is new`",
            "# names a row of public.cust_mst (cust_no): by its name",
        ],
    );
    has(
        "events.yaml",
        &["# kind: outbox", "TODO: is there personal data in it?"],
    );
    has("empty-ones.yaml", &["no rows", "type: uuid"]);
    has(
        "odd-types.yaml",
        &[
            "(column pt) is left out",
            "tags: { type: array, from: tags, items: { type: string }",
            "\"decimal(38,",
            "\"low\": LOW",
        ],
    );
    has(
        "dates.yaml",
        &[
            "TODO: 29 of 30 sampled texts are a date by %Y%m%d",
            "by %d/%m/%Y and by %m/%d/%Y alike",
            "numbers read as a date",
        ],
    );
    has(
        "orphans.yaml.unready",
        &["NOT READY", "name the file orphans.yaml"],
    );
    // One value a row, lower case, few rows: still nobody's codes.
    let agents = draft(scenario, "customers.yaml");
    assert!(!agents.contains("enum\n    from: sold_by"), "{agents}");
}

fn what_was_told(said: &Value) {
    let is = |code: &str, place: &str| {
        let places = found(said, code);
        assert!(
            places.iter().any(|p| p.contains(place)),
            "{code} at {place}: {places:?}"
        );
    };
    is("ONR-631", "table public.odd_types, column pt");
    is("ONR-632", "table public.cust_mst, column eml");
    is("ONR-633", "table public.orphan");
    is("ONR-634", "table public.open_orders");
    is("ONR-634", "table public.all_points");
    is("ONR-634", "table public.dotted.name");
    is("ONR-634", "table public.unlogged_one");
    is("ONR-637", "table public.evt");
    let tables = said["tables"].as_array().expect("tables");
    let of = |name: &str| {
        let found = tables.iter().find(|t| t["table"] == name);
        found
            .unwrap_or_else(|| panic!("{name} is not told"))
            .clone()
    };
    let customers = of("public.cust_mst");
    assert_eq!(customers["product"], "nasty.customers.v1");
    assert_eq!(customers["key"], serde_json::json!(["customer_number"]));
    assert_eq!(
        (&customers["written"], &customers["ready"]),
        (&true.into(), &true.into())
    );
    assert_eq!(
        (&customers["sampled"], &customers["whole"]),
        (&60.into(), &true.into())
    );
    assert_eq!(of("public.orphan")["ready"], false);
    assert_eq!(of("public.all_points")["file"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_pass_check_and_show_nothing_personal() {
    a_nasty_database_is_drafted(Servers::find()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_pass_check_on_the_newest_server() {
    a_nasty_database_is_drafted(Servers::newest()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_is_sampled_and_never_read_as_a_whole() {
    let scenario = Scenario::new(
        "CREATE TABLE big (id int PRIMARY KEY, st char(1), pad text) WITH (autovacuum_enabled = false);
         INSERT INTO big SELECT n, CASE WHEN n > 350000 THEN 'B' ELSE 'A' END, repeat('x', 100) FROM generate_series(1, 400000) n;
         CREATE TABLE hollow (id int PRIMARY KEY, pad text) WITH (autovacuum_enabled = false);
         INSERT INTO hollow SELECT n, repeat('x', 500) FROM generate_series(1, 60000) n; DELETE FROM hollow;
         ANALYZE big",
    )
    .await;
    // The pages of both that anybody looked at, and how many there are.
    let pages = async |table: &str| -> (i64, i64) {
        let db = scenario.connect().await;
        let sql = "SELECT heap_blks_read + heap_blks_hit, pg_relation_size(relid) / 8192 FROM pg_statio_user_tables WHERE relname = $1";
        let row = db.query_one(sql, &[&table]).await.expect("statistics");
        (row.get(0), row.get(1))
    };
    // What made the tables is counted first.
    until(
        "the rows to be counted",
        Duration::from_secs(30),
        async || {
            let db = scenario.connect().await;
            let sql = "SELECT sum(n_tup_ins)::int8, sum(n_tup_del)::int8 FROM pg_stat_user_tables";
            let row = db.query_one(sql, &[]).await.expect("statistics");
            (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1))
                == (Some(460_000), Some(60_000))
        },
    )
    .await;
    let before = (pages("big").await.0, pages("hollow").await.0);
    let output = discover(&scenario, &["--format", "json"]);
    let said = json(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for (table, before) in [("big", before.0), ("hollow", before.1)] {
        until(
            "the pages to be counted",
            Duration::from_secs(30),
            async || pages(table).await.0 > before,
        )
        .await;
        let (after, all) = pages(table).await;
        let looked = after - before;
        assert!(
            looked * 5 < all,
            "{looked} of {table}'s {all} pages were looked at"
        );
    }
    let big = &said["tables"][0];
    assert_eq!(
        (&big["sampled"], &big["whole"]),
        (&1000.into(), &false.into())
    );
    // Rows from all over: the last eighth has a code of its own.
    let text = draft(&scenario, "bigs.yaml");
    assert!(text.contains("\"B\": B"), "{text}");
    // Pages without rows end the search too.
    assert_eq!(said["tables"][1]["sampled"], 0);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_locked_or_slow_is_told_and_the_others_are_drafted() {
    let scenario = Scenario::new(
        "CREATE TABLE a (id int PRIMARY KEY, st char(1) CHECK (st IN ('X', 'Y')));
         CREATE TABLE held (id int PRIMARY KEY, st char(1) CHECK (st IN ('X', 'Y')));
         CREATE TABLE slow (id int PRIMARY KEY); INSERT INTO slow SELECT generate_series(1, 200);
         CREATE TABLE secret (id int PRIMARY KEY);
         ALTER TABLE slow ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON slow USING (pg_sleep(0.05)::text = '');",
    )
    .await;
    let role = &scenario.name;
    let sql = format!(
        "CREATE ROLE {role} LOGIN REPLICATION PASSWORD 'onramp';
         GRANT SELECT ON a, held, slow TO {role}"
    );
    scenario.db.batch_execute(&sql).await.expect("a role");
    let locker = scenario.connect().await;
    let lock = "BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE";
    locker.batch_execute(lock).await.expect("a lock");
    let url = scenario.servers.database(&scenario.name);
    let rest = url.split_once('@').expect("a user").1;
    let url = format!("source.url=postgres://{role}@{rest}");
    let output = discover(
        &scenario,
        &["--set", &url, "--timeout", "1s", "--format", "json"],
    );
    drop(locker);
    let said = json(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(
        found(&said, "ONR-635"),
        [
            "table public.held",
            "table public.secret",
            "table public.slow"
        ]
    );
    let reasons = said["findings"].to_string();
    for reason in ["hold a lock on it", "longer than 1s", "may not read it"] {
        assert!(reasons.contains(reason), "{reason}: {reasons}");
    }
    let written = said["tables"].as_array().expect("tables");
    assert!(
        written.len() == 4 && written.iter().all(|t| t["written"] == true),
        "{said}"
    );
    let drop_role = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    scenario
        .db
        .batch_execute(&drop_role)
        .await
        .expect("the role goes");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_may_have_edited_is_kept() {
    let schema = "CREATE TABLE a_tab (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)";
    let scenario = Scenario::new(schema).await;
    let file = scenario
        .gateway_file("")
        .replace("products/*.yaml", "products/nasty/a*.yaml");
    scenario.write("onramp.yaml", &file);
    discover(&scenario, &["--tables", "a_tab"]);
    let path = scenario.folder.join("products/nasty/as.yaml");
    let edited = std::fs::read_to_string(&path).expect("drafted") + "# mine\n";
    std::fs::write(&path, &edited).expect("it may be edited");
    // Mapped already: not even looked at. `b` is drafted; the gateway does not name its file.
    let said = json(&discover(&scenario, &["--format", "json"]));
    assert_eq!(found(&said, "ONR-636"), ["table public.a_tab"]);
    assert_eq!(said["tables"].as_array().map(Vec::len), Some(1));
    // Drafted, but not written: a file stands there.
    let said = json(&discover(&scenario, &["--format", "json"]));
    assert_eq!(found(&said, "ONR-636").len(), 2);
    assert_eq!(said["tables"][0]["written"], false);
    assert_eq!(std::fs::read_to_string(&path).expect("there"), edited);
    let strict = discover(&scenario, &["--fail-on", "warning"]);
    assert_eq!(strict.status.code(), Some(1));
    let shown = text(&strict.stdout);
    assert!(shown.contains("Next: add the drafts' folder"), "{shown}");
    let said = json(&discover(&scenario, &["--force", "--format", "json"]));
    assert_eq!(found(&said, "ONR-636"), [""; 0]);
    assert!(
        !std::fs::read_to_string(&path)
            .expect("there")
            .contains("# mine")
    );
    assert_eq!(drafts(&scenario).len(), 2, "each keeps its name");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_alone_gives_a_gateway_file_too_without_a_password() {
    let scenario = Scenario::new("CREATE TABLE things (id int PRIMARY KEY)").await;
    let url = scenario.servers.database(&scenario.name);
    let rest = url.split_once('@').expect("a user").1;
    let url = format!("postgres://postgres@{rest}");
    let out = scenario.folder.join("new");
    let run = |url: &str, out: &Path| {
        Command::new(binary())
            .args([
                "discover",
                "--source",
                url,
                "--password-env",
                "THE_PASSWORD",
            ])
            .args(["--tls", "disable", "--out"])
            .arg(out)
            .args(["--format", "json"])
            .env("THE_PASSWORD", "onramp")
            .output()
            .expect("the binary onramp is built")
    };
    let output = run(&url, &out);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let gateway = std::fs::read_to_string(out.join("onramp.yaml")).expect("a gateway file");
    assert!(
        gateway.contains("password: { env: THE_PASSWORD }") && !gateway.contains("onramp@"),
        "{gateway}"
    );
    assert!(
        out.join(format!("products/{}/things.yaml", scenario.name))
            .exists()
    );
    let check = Command::new(binary())
        .args(["check", "--config"])
        .arg(out.join("onramp.yaml"))
        .output()
        .expect("the binary onramp is built");
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stdout));
    // Never over one that is there.
    let again = run(&url, &out);
    assert_eq!(
        (again.status.code(), found(&json(&again), "ONR-639").len()),
        (Some(64), 1)
    );
    // A password in the address is refused, and not repeated.
    let secret = run(
        &url.replace("postgres@", "postgres:hunter2@"),
        &scenario.folder.join("other"),
    );
    assert_eq!(secret.status.code(), Some(64));
    let shown = text(&secret.stdout) + &text(&secret.stderr);
    assert!(
        shown.contains("ONR-124") && !shown.contains("hunter2"),
        "{shown}"
    );
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_no_table_is_told_with_the_nearest() {
    let scenario = Scenario::new(
        "CREATE TABLE ordr_hdr (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)",
    )
    .await;
    let output = discover(
        &scenario,
        &["--tables", "odrr_hdr,public.b", "--format", "json"],
    );
    let said = json(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(found(&said, "ONR-638"), ["--tables"]);
    assert_eq!(said["findings"][0]["remedy"], "did you mean `ordr_hdr`?");
    assert_eq!(
        said["tables"].as_array().map(Vec::len),
        Some(1),
        "the other is drafted"
    );
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_is_told_in_so_many_words() {
    let scenario = Scenario::new(
        "CREATE TABLE cust_mst (cust_no int PRIMARY KEY, eml_adr varchar(80), loc point, del_flg char(1) NOT NULL);
         INSERT INTO cust_mst SELECT n, 'c' || n || '@example.test', NULL, CASE WHEN n = 1 THEN 'Y' ELSE 'N' END FROM generate_series(1, 20) n;
         CREATE TABLE log (at timestamp NOT NULL, what text);
         CREATE VIEW v AS SELECT 1 AS one",
    )
    .await;
    let file = scenario
        .gateway_file("")
        .replace("products/*.yaml", "products/**/*.yaml");
    scenario.write("onramp.yaml", &file);
    let output = Command::new(binary())
        .args(["discover", "--domain", "nasty"])
        .current_dir(&scenario.folder)
        .env("TEST_DB_PASSWORD", "onramp")
        .env("COLUMNS", "80")
        .output()
        .expect("the binary onramp is built");
    let shown = text(&output.stdout);
    assert_eq!(shown, include_str!("discover/expected.txt"));
    assert_eq!(
        draft(&scenario, "customers.yaml"),
        include_str!("discover/customers.yaml")
    );
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_key_drops_what_is_personal_and_drafts_no_personal_key() {
    let scenario = Scenario::new(
        "CREATE TABLE people (id int PRIMARY KEY, email text);
         CREATE TABLE ssns (ssn varchar(11) PRIMARY KEY, v int)",
    )
    .await;
    let file = scenario.gateway_file("");
    let line = "keys: { pii: { env: TEST_PII_KEY } }\n";
    assert!(file.contains(line));
    scenario.write("onramp.yaml", &file.replace(line, ""));
    let said = json(&discover(&scenario, &["--format", "json"]));
    assert_eq!(found(&said, "ONR-634"), ["table public.ssns"]);
    let text = draft(&scenario, "people.yaml");
    assert!(
        text.contains("protect: { drop: true }") && !text.contains("hmac"),
        "{text}"
    );
    scenario.close().await;
}
