//! The words the company is made of: people's names, departments, groups, apps, reasons.
//! Display names may be in any script; logins are ASCII. Owns text only, decides nothing.

/// A given name as shown, and as it stands in a login.
pub(crate) const FIRST_NAMES: [(&str, &str); 48] = [
    ("Zoë", "zoe"),
    ("Łukasz", "lukasz"),
    ("伟", "wei"),
    ("Jürgen", "juergen"),
    ("Aisha", "aisha"),
    ("Mateo", "mateo"),
    ("Priya", "priya"),
    ("Søren", "soren"),
    ("Chloé", "chloe"),
    ("Kwame", "kwame"),
    ("Yuki", "yuki"),
    ("Ирина", "irina"),
    ("Tomás", "tomas"),
    ("Fatima", "fatima"),
    ("Liam", "liam"),
    ("Anaïs", "anais"),
    ("Noor", "noor"),
    ("Emre", "emre"),
    ("Grace", "grace"),
    ("João", "joao"),
    ("Eleni", "eleni"),
    ("Vikram", "vikram"),
    ("Åsa", "asa"),
    ("Diego", "diego"),
    ("Hana", "hana"),
    ("Oluwaseun", "oluwaseun"),
    ("Marta", "marta"),
    ("秀英", "xiuying"),
    ("Ben", "ben"),
    ("Nadia", "nadia"),
    ("Petra", "petra"),
    ("Samuel", "samuel"),
    ("Ingrid", "ingrid"),
    ("Rafael", "rafael"),
    ("Mei", "mei"),
    ("Omar", "omar"),
    ("Lucía", "lucia"),
    ("Henrik", "henrik"),
    ("Thandi", "thandi"),
    ("Dmitri", "dmitri"),
    ("Sofia", "sofia"),
    ("Arjun", "arjun"),
    ("Maeve", "maeve"),
    ("Kaito", "kaito"),
    ("Bettina", "bettina"),
    ("Ciarán", "ciaran"),
    ("Lena", "lena"),
    ("Victor", "victor"),
];

/// A family name as shown, and as it stands in a login.
pub(crate) const LAST_NAMES: [(&str, &str); 48] = [
    ("Müller", "mueller"),
    ("李", "li"),
    ("Kowalski", "kowalski"),
    ("García", "garcia"),
    ("Nakamura", "nakamura"),
    ("Okafor", "okafor"),
    ("Lindqvist", "lindqvist"),
    ("Haddad", "haddad"),
    ("Nguyễn", "nguyen"),
    ("O'Brien", "obrien"),
    ("Petrov", "petrov"),
    ("Sharma", "sharma"),
    ("Dubois", "dubois"),
    ("Yılmaz", "yilmaz"),
    ("Santos", "santos"),
    ("Mensah", "mensah"),
    ("王", "wang"),
    ("Bianchi", "bianchi"),
    ("Hughes", "hughes"),
    ("Papadopoulos", "papadopoulos"),
    ("Jansen", "jansen"),
    ("Ørsted", "orsted"),
    ("Silva", "silva"),
    ("Rahman", "rahman"),
    ("Novák", "novak"),
    ("Cohen", "cohen"),
    ("Dlamini", "dlamini"),
    ("Fischer", "fischer"),
    ("Tanaka", "tanaka"),
    ("Peña", "pena"),
    ("Singh", "singh"),
    ("Walsh", "walsh"),
    ("Åkesson", "akesson"),
    ("Moreau", "moreau"),
    ("Castillo", "castillo"),
    ("Kim", "kim"),
    ("Weiß", "weiss"),
    ("Adeyemi", "adeyemi"),
    ("Horváth", "horvath"),
    ("Ali", "ali"),
    ("Ferreira", "ferreira"),
    ("Schneider", "schneider"),
    ("Baker", "baker"),
    ("Ivanova", "ivanova"),
    ("陈", "chen"),
    ("Murphy", "murphy"),
    ("Rossi", "rossi"),
    ("Abe", "abe"),
];

pub(crate) struct DepartmentWords {
    pub(crate) name: &'static str,
    pub(crate) head: &'static str,
    pub(crate) titles: [&'static str; 3],
    pub(crate) groups: [&'static str; 2],
    pub(crate) app: &'static str,
    /// Whether its people ask for administrator roles and API tokens.
    pub(crate) technical: bool,
}

const fn department(
    name: &'static str,
    head: &'static str,
    titles: [&'static str; 3],
    groups: [&'static str; 2],
    app: &'static str,
    technical: bool,
) -> DepartmentWords {
    DepartmentWords { name, head, titles, groups, app, technical }
}

/// The first two always exist: the administrators come from the first, the managing director heads the second.
pub(crate) const DEPARTMENTS: [DepartmentWords; 10] = [
    department(
        "IT",
        "Head of IT",
        ["Systems Administrator", "Identity Engineer", "Support Technician"],
        ["IT Operations", "Device Management"],
        "Remote Console",
        true,
    ),
    department(
        "Operations",
        "Managing Director",
        ["Operations Manager", "Planner", "Facilities Coordinator"],
        ["Operations Desk", "Site Access"],
        "Route Planner",
        false,
    ),
    department(
        "Engineering",
        "Head of Engineering",
        ["Software Engineer", "Test Engineer", "Data Engineer"],
        ["Engineering", "Source Code Readers"],
        "Build Farm",
        true,
    ),
    department(
        "Finance",
        "Chief Financial Officer",
        ["Accountant", "Analyst I", "Controller"],
        ["Finance", "Invoice Processing"],
        "General Ledger",
        false,
    ),
    department(
        "Sales",
        "Head of Sales",
        ["Account Executive", "Sales Engineer", "Sales Assistant"],
        ["Sales", "Price Lists"],
        "Customer Register",
        false,
    ),
    department(
        "Support",
        "Head of Support",
        ["Support Agent", "Support Lead", "Knowledge Editor"],
        ["Support", "Ticket Macros"],
        "Call Centre",
        false,
    ),
    department(
        "People",
        "Head of People",
        ["Recruiter", "HR Partner", "Payroll Officer"],
        ["People Team", "Personnel Files"],
        "Personnel Register",
        false,
    ),
    department(
        "Legal",
        "General Counsel",
        ["Counsel", "Paralegal", "Privacy Officer"],
        ["Legal", "Contract Archive"],
        "Contract Desk",
        false,
    ),
    department(
        "Marketing",
        "Head of Marketing",
        ["Editor", "Designer", "Campaign Manager"],
        ["Marketing", "Brand Assets"],
        "Campaign Studio",
        false,
    ),
    department(
        "Security",
        "Head of Security",
        ["Security Engineer", "Security Analyst", "Risk Manager"],
        ["Security", "Alert Triage"],
        "Alert Console",
        true,
    ),
];

/// What only the told story is about: nobody else ever asks for these groups.
pub(crate) const STORY_GROUPS: [&str; 4] =
    ["Production Database Readers", "Payment Release", "Customer Data Export", "Incident Command"];

/// With [`GROUP_RIGHTS`]: the groups people ask for, "Payroll Readers".
pub(crate) const GROUP_SYSTEMS: [&str; 20] = [
    "Payroll",
    "Billing",
    "Warehouse",
    "Data Lake",
    "Staging",
    "Analytics",
    "Status Page",
    "Expenses",
    "Phone System",
    "Archive",
    "Translation",
    "Partner Portal",
    "Mobile App",
    "Web Shop",
    "Print Shop",
    "Search",
    "Mailing Lists",
    "Backup",
    "Forecast",
    "Training",
];
pub(crate) const GROUP_RIGHTS: [&str; 3] = ["Readers", "Editors", "Operators"];

/// Everybody has the first two; the rest is asked for.
pub(crate) const APPS: [&str; 12] = [
    "Mail",
    "Chat",
    "Whiteboard",
    "Survey Builder",
    "Travel Desk",
    "Diagram Editor",
    "Password Safe",
    "Video Library",
    "Map Studio",
    "Signature Desk",
    "Time Sheets",
    "Reading Room",
];

/// Okta's administrator roles: the type code, and the label the System Log prints.
pub(crate) const ROLES: [(&str, &str); 6] = [
    ("SUPER_ADMIN", "Super administrator"),
    ("ORG_ADMIN", "Organization administrator"),
    ("APP_ADMIN", "Application administrator (all)"),
    ("HELP_DESK_ADMIN", "Help Desk administrator"),
    ("READ_ONLY_ADMIN", "Read-only administrator"),
    ("REPORT_ADMIN", "Report administrator"),
];

pub(crate) const SERVICES: [&str; 8] =
    ["backup", "build", "billing-export", "monitoring", "badge-reader", "newsletter", "data-loader", "print-queue"];

pub(crate) const JUSTIFICATIONS: [&str; 8] = [
    "Needed for the quarterly close",
    "Covering for a colleague on leave",
    "Joined the project team this week",
    "Investigating a customer complaint, see the linked incident",
    "On-call rotation starts Monday",
    "Für die Prüfung durch die Revision benötigt",
    "Migration of the old reports",
    "Asked for by the steering group",
];

/// Subjects of incidents. The last three are what an attacker would type.
pub(crate) const INCIDENTS: [&str; 9] = [
    "Laptop does not wake up",
    "VPN drops every few minutes",
    "Printer on the second floor is out of toner",
    "Cannot hear anybody in calls",
    "Écran noir après la mise à jour",
    "Password manager asks for the key twice",
    "=HYPERLINK(\"http://192.0.2.66/x\",\"click\")",
    "\u{1b}[31mURGENT\u{1b}[0m mailbox full",
    "<script>alert(1)</script> \"quoted\", and; separated\r\n",
];

pub(crate) const CHANGES: [&str; 4] = [
    "Replace the core switches",
    "Upgrade the ledger database",
    "Rotate the certificate of the partner portal",
    "Move backups to the second site",
];
