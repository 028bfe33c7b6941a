//! Who is who: the mapping file of the company's personnel department, its register of non-human identities, the rules by
//! which it matches accounts, and a few accounts more, made to be taken for somebody else's.
//!
//! Owns these files and what is true of them. They come beside the files of the company, whose bytes and counts do not
//! depend on them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::{days, okta_time, seconds, whole_second};
use crate::chronicle::Chronicle;
use crate::company::{DOMAIN, IdentityIndex};
use crate::random::{Random, uuid_text};
use crate::truth::{NonHuman, OwnerOf, Whose};
use crate::{Delivery, File};

/// Whoever gets the e-mail address of somebody who left.
const NAMESAKE: &str = "E-9001";
/// Whoever is said, by mistake, to have an account that is somebody else's.
const MISTAKEN: &str = "E-9002";

/// The files in the order of import, and what is true of them.
pub(crate) struct Identities {
    pub(crate) files: Vec<File>,
    pub(crate) whose: Vec<Whose>,
    pub(crate) non_human: Vec<NonHuman>,
}

/// Makes them up. Nothing of the company depends on it.
pub(crate) fn make(chronicle: &Chronicle, random: &mut Random) -> Identities {
    let mut made = Maker {
        chronicle,
        random,
        rows: Vec::new(),
        events: Vec::new(),
        whose: Vec::new(),
        register: Vec::new(),
        non_human: Vec::new(),
    };
    made.personnel();
    made.register();
    let rules = [json!({
        "rule": "same-address", "version": "1", "matched_by": "email", "declared_at": "2026-01-01",
        "systems": "aws;freshservice;okta;people",
    })];
    let Maker { rows, events, whose, register, non_human, .. } = made;
    let columns = "row,person,person_name,person_email,system,account,login,from,until";
    let file = |name: &str, connector, bytes| File { name: name.into(), connector, delivery: Delivery::OnTime, bytes };
    let files = vec![
        file("identities/okta.jsonl", "okta", lines(&events)),
        file("identities/leavers.jsonl", "fact", lines(&leavers(chronicle))),
        file("identities/rules.jsonl", "people", lines(&rules)),
        file("identities/accounts.csv", "people", table(columns, &rows)),
        file("identities/register.csv", "nhi", table(REGISTER, &register)),
    ];
    Identities { files, whose, non_human }
}

const REGISTER: &str = "row,system,id,login,name,type,owner,purpose,expires_at,rotation_interval,stored_in,systems,\
                        operations,suspected_at,retired_at,updated_at";

struct Maker<'c> {
    chronicle: &'c Chronicle,
    random: &'c mut Random,
    rows: Vec<Vec<String>>,
    events: Vec<Value>,
    whose: Vec<Whose>,
    register: Vec<Vec<String>>,
    non_human: Vec<NonHuman>,
}

impl Maker<'_> {
    /// Each person's accounts, said in one of four ways, and the near misses.
    fn personnel(&mut self) {
        let company = &self.chronicle.company;
        let (start, end) = (self.chronicle.span.start, self.chronicle.span.end);
        let people: Vec<IdentityIndex> = company.people().collect();
        let leaver = people.iter().copied().find(|who| company.of(*who).until.is_some());
        let disputed = company.cast.latecomer;
        for who in people {
            let identity = company.of(who);
            let (okta, desk) =
                (okta(&identity.okta_id), format!("account:freshservice:default:{}", identity.freshservice_id));
            let from = whole_second(identity.from);
            // Those of the near misses are told outright.
            let way = if Some(who) == leaver || who == disputed { 0 } else { who.0 % 4 };
            let since = if way == 1 { from.to_string() } else { String::new() };
            let row = |system: &str, account: &str, login: &str| {
                let number = format!("{system}-{}", person(who));
                let name = identity.display_name();
                [&number, &person(who), &name, &identity.login, system, account, login, &since, ""]
                    .map(str::to_owned)
                    .to_vec()
            };
            self.rows.extend(match way {
                0 => vec![
                    row("okta", &identity.okta_id, ""),
                    row("freshservice", &identity.freshservice_id.to_string(), ""),
                ],
                1 => vec![row("okta", &identity.okta_id, &identity.login)],
                2 => vec![row("okta", "", &identity.login)],
                _ => vec![row("freshservice", &identity.freshservice_id.to_string(), "")],
            });
            let mut theirs = vec![desk, okta];
            theirs.sort();
            self.whose.push(Whose { person: entity(&person(who)), at: end, accounts: theirs, contested: Vec::new() });
        }
        self.namesake(leaver);
        self.contractor();
        self.dispute(disputed);
        self.handover(start + days(9));
    }

    /// The address of somebody who left is given to somebody who has the same first name.
    fn namesake(&mut self, leaver: Option<IdentityIndex>) {
        let Some(leaver) = leaver else { return };
        let former = self.chronicle.company.of(leaver);
        let (login, first) = (former.login.clone(), former.first_name.clone());
        let at = whole_second(former.until.unwrap_or(self.chronicle.span.end) + days(20));
        let id = self.account(at, &login, &format!("{first} Newcomer"));
        self.rows
            .push(["namesake", NAMESAKE, "", "", "okta", &id, "", &at.to_string(), ""].map(str::to_owned).to_vec());
        for whose in [
            Whose { person: entity(NAMESAKE), at: at + days(1), accounts: vec![okta(&id)], contested: Vec::new() },
            Whose { person: entity(NAMESAKE), at: at - days(1), accounts: Vec::new(), contested: Vec::new() },
        ] {
            self.whose.push(whose);
        }
    }

    /// A contractor has a second account, which no row and no address tells.
    fn contractor(&mut self) {
        let who = self.chronicle.company.cast.passer;
        let identity = self.chronicle.company.of(who);
        let name = identity.display_name();
        let login = format!("ext.{}@partner.example", identity.login.split('@').next().unwrap_or_default());
        let at = whole_second(self.chronicle.span.permille(300));
        let id = self.account(at, &login, &name);
        self.whose.push(Whose {
            person: okta(&id),
            at: self.chronicle.span.end,
            accounts: Vec::new(),
            contested: Vec::new(),
        });
    }

    /// Two rows say of one account that it is somebody's, at the same time.
    fn dispute(&mut self, who: IdentityIndex) {
        let identity = self.chronicle.company.of(who);
        let account = okta(&identity.okta_id);
        self.rows.push(
            ["dispute", MISTAKEN, "Mistaken Identity", "", "okta", &identity.okta_id, "", "", ""]
                .map(str::to_owned)
                .to_vec(),
        );
        let whose = self.whose.iter_mut().find(|whose| whose.person == entity(&person(who)));
        let whose = whose.expect("whoever plays in the story is a person");
        whose.accounts.retain(|one| *one != account);
        whose.contested.push(account.clone());
        let at = self.chronicle.span.end;
        self.whose.push(Whose { person: entity(MISTAKEN), at, accounts: Vec::new(), contested: vec![account] });
    }

    /// An account that two people have one after the other.
    fn handover(&mut self, at: Timestamp) {
        let id = self.account(at, &format!("front.desk@{DOMAIN}"), "Front desk");
        let over = whole_second(at + days(10));
        for (n, (from, until)) in [(at, Some(over)), (over, None)].into_iter().enumerate() {
            let number = format!("E-91{n:02}");
            let until = until.map(|until| until.to_string()).unwrap_or_default();
            self.rows.push(
                [&format!("desk-{n}"), &number, "", "", "okta", &id, "", &from.to_string(), &until]
                    .map(str::to_owned)
                    .to_vec(),
            );
            for (moment, is_theirs) in [(at + days(5), n == 0), (over + days(5), n == 1)] {
                let accounts = if is_theirs { vec![okta(&id)] } else { Vec::new() };
                self.whose.push(Whose { person: entity(&number), at: moment, accounts, contested: Vec::new() });
            }
        }
    }

    /// A new account in Okta, made by an administrator; its id.
    fn account(&mut self, at: Timestamp, login: &str, name: &str) -> String {
        let id = self.random.okta_id("00u");
        let admin = self.chronicle.company.of(self.chronicle.company.admins[0]);
        for (n, kind) in ["user.lifecycle.create", "user.lifecycle.activate"].into_iter().enumerate() {
            let uuid = uuid_text(self.random.uuid());
            let request = self.random.hex();
            self.events.push(json!({
                "actor": {
                    "alternateId": admin.login, "detailEntry": null, "displayName": admin.display_name(),
                    "id": admin.okta_id, "type": "User"
                },
                "debugContext": { "debugData": { "requestId": request, "requestUri": "/api/v1/users", "url": "/api/v1/users?" } },
                "eventType": kind,
                "outcome": { "reason": null, "result": "SUCCESS" },
                "published": okta_time(at + seconds(n as i64)),
                "severity": "INFO",
                "target": [{ "alternateId": login, "detailEntry": null, "displayName": name, "id": id, "type": "User" }],
                "transaction": { "detail": {}, "id": request, "type": "WEB" },
                "uuid": uuid,
                "version": "0"
            }));
        }
        id
    }

    /// Some of the machines are in the register; of some the entry lacks something.
    fn register(&mut self) {
        let chronicle = self.chronicle;
        let (company, end) = (&chronicle.company, chronicle.span.end);
        let updated = chronicle.span.start.to_string();
        let expires = (end + days(300)).to_string();
        let head = |n: usize| company.departments[n % company.departments.len()].head;
        let leaver = company.people().find(|who| company.of(*who).until.is_some());
        let mut add = |cells: [&str; 9], entity: String, owner: Option<OwnerOf>, gaps: &[&str]| {
            let [id, login, name, kind, owned_by, purpose, expires_at, rotation, stored_in] = cells;
            let row = format!("n-{}", self.register.len() + 1);
            let cells = [
                &row,
                "okta",
                id,
                login,
                name,
                kind,
                owned_by,
                purpose,
                expires_at,
                rotation,
                stored_in,
                "okta",
                "okta.users.manage;okta.groups.manage",
                "",
                "",
                &updated,
            ];
            self.register.push(cells.map(str::to_owned).to_vec());
            let gaps = gaps.iter().map(|gap| (*gap).to_owned()).collect();
            self.non_human.push(NonHuman { entity, owner, gaps });
        };
        let owner_of = |who: IdentityIndex| Some(OwnerOf { person: entity(&person(who)), left: false });

        let provisioner = company.of(company.provisioner);
        let owner = person(head(0));
        add(
            [&provisioner.okta_id, "", "", "service_account", &owner, "Carries out approved tickets", &expires, "", ""],
            okta(&provisioner.okta_id),
            owner_of(head(0)),
            &[],
        );
        let token = &chronicle.tokens[chronicle.provisioner_tokens[0].1];
        let id = format!("api_token/{}", token.id);
        add(
            [
                &id,
                "",
                &token.name,
                "token",
                &owner,
                "Calls Okta's API, \"for tickets\"",
                &expires,
                "90d",
                "vault: kv/okta",
            ],
            format!("credential:okta:default:{id}"),
            owner_of(head(0)),
            &[],
        );
        let (_, agent_token) = chronicle.agent_tokens[0];
        let agent = company.of(chronicle.tokens[agent_token].owner);
        let manager = company.of(head(1));
        add(
            [&agent.okta_id, "", "", "ai_agent", &manager.login, "Sorts tickets", "", "", ""],
            okta(&agent.okta_id),
            owner_of(head(1)),
            &["NO_EXPIRY"],
        );
        let id = format!("api_token/{}", chronicle.tokens[agent_token].id);
        add(
            [&id, "", "", "token", "", "", &expires, "", ""],
            format!("credential:okta:default:{id}"),
            None,
            &["NO_OWNER", "NO_PURPOSE", "NO_ROTATION", "NO_STORAGE"],
        );
        let service = company.of(company.services[0]);
        let left = leaver.map(|who| OwnerOf { person: entity(&person(who)), left: true });
        let owned_by = leaver.map(person).unwrap_or_default();
        let gap = if left.is_some() { "OWNER_LEFT" } else { "NO_OWNER" };
        // Known by its login alone.
        add(
            ["", &service.login, "", "service_account", &owned_by, "Copies calendars", &expires, "", ""],
            okta(&service.okta_id),
            left,
            &[gap],
        );
        let ghost = company.of(company.ghost);
        self.non_human.push(NonHuman {
            entity: okta(&ghost.okta_id),
            owner: None,
            gaps: ["NOT_REGISTERED", "NO_OWNER", "NO_PURPOSE", "NO_EXPIRY"].map(str::to_owned).to_vec(),
        });
    }
}

/// What the personnel department says of those who leave.
fn leavers(chronicle: &Chronicle) -> Vec<Value> {
    let company = &chronicle.company;
    let left = |who: IdentityIndex| {
        let at = whole_second(company.of(who).until?).to_string();
        let subject = json!({ "kind": "person", "system": "people", "instance": "default", "id": person(who) });
        let fact = json!({ "kind": "lifecycle.leaver", "occurred_at": at, "effective_at": at, "subject": subject });
        let source = json!({ "system": "hr", "instance": "default", "stream": "leavers" });
        Some(json!({ "id": format!("evt-{}", who.0), "source": source, "type": "lifecycle.leaver", "facts": [fact] }))
    };
    company.people().filter_map(left).collect()
}

/// The number of a person.
fn person(who: IdentityIndex) -> String {
    format!("E-{}", 1000 + who.0)
}

fn entity(person: &str) -> String {
    format!("person:people:default:{person}")
}

fn okta(id: &str) -> String {
    format!("account:okta:default:{id}")
}

fn lines(documents: &[Value]) -> Vec<u8> {
    documents.iter().map(|document| format!("{document}\n")).collect::<String>().into_bytes()
}

/// Comma-separated values, as RFC 4180 has them.
fn table(columns: &str, rows: &[Vec<String>]) -> Vec<u8> {
    let cell = |cell: &String| match cell.contains(['"', ',', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    };
    let row = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n";
    [format!("{columns}\r\n")].into_iter().chain(rows.iter().map(row)).collect::<String>().into_bytes()
}
