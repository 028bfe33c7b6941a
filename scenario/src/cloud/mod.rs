//! The company's account in AWS: which groups, policies, roles and permission sets there are, what somebody may have of
//! them, and the calls that give and take it. Owns these names and ids. What happens is decided by the plots; the shapes
//! are [`trail`]'s and [`listings`]'.

pub(crate) mod delivery;
mod drift;
mod listings;
pub(crate) mod live;
pub(crate) mod plots;
pub(crate) mod trail;

pub(crate) use live::Holder;

use crate::company::{Company, IdentityIndex, Nature};
use crate::random::{Random, uuid_text};

pub(crate) const ACCOUNT: &str = "111122223333";
/// The groups of IAM, each with the policy that its members have through it. Every person with a user is in the first.
pub(crate) const GROUPS: [(&str, &str); 5] = [
    ("Engineers", "ReadOnlyAccess"),
    ("Data-Readers", "AmazonAthenaFullAccess"),
    ("Deployers", "AWSCodeDeployFullAccess"),
    ("Billing-Viewers", "AWSBillingReadOnlyAccess"),
    ("Network-Operators", "AmazonVPCFullAccess"),
];
/// Policies that AWS manages. Users ask for the first six, and have none of the others.
pub(crate) const POLICIES: [&str; 9] = [
    "AmazonS3ReadOnlyAccess",
    "AmazonDynamoDBReadOnlyAccess",
    "CloudWatchReadOnlyAccess",
    "AmazonEC2ContainerRegistryPowerUser",
    "SecurityAudit",
    "AmazonSQSFullAccess",
    "IAMFullAccess",
    "AdministratorAccess",
    "PowerUserAccess",
];
pub(crate) const ELECTIVE_POLICIES: usize = 6;
const EVERYBODY: usize = 0;
/// The permission sets of Identity Center, each with its id and its policy.
pub(crate) const SETS: [(&str, &str, &str); 6] = [
    ("AdministratorAccess", "ps-2f61b7c0d94e8a35", "AdministratorAccess"),
    ("ViewOnly", "ps-51d9a4e63f70c82b", "ViewOnlyAccess"),
    ("PowerUser", "ps-8c03e57a1bd2f496", "PowerUserAccess"),
    ("DatabaseOperator", "ps-e7b82c160a5d94f3", "AmazonRDSFullAccess"),
    ("CostAnalyst", "ps-0b9d3f7ae2c15846", "AWSBillingReadOnlyAccess"),
    ("QueueOperator", "ps-94e6a1d8073cbf52", "AmazonSQSFullAccess"),
];
const ADMINISTRATORS: usize = 0;
const VIEWERS: usize = 1;
/// The instance of Identity Center, and its directory.
const SSO_INSTANCE: &str = "ssoins-72235a7b4f1e9c0d";
const DIRECTORY: &str = "d-90677c3c4a";
/// The roles, each with a policy. Nobody asked for them: they were made when the account was.
pub(crate) const ROLES: [(&str, usize); 7] = [
    ("access-provisioner", 6),
    ("access-agent", 6),
    ("identity-admin", 6),
    ("AWSReservedSSO_AdministratorAccess_2f61b7c0d94e8a35", 7),
    ("ci-deploy", 8),
    ("nightly-etl", 5),
    ("invoice-export", 0),
];
/// The role of the provisioner, of the agents, of administrators who name a ticket, and of those who name none.
const PROVISIONER: usize = 0;
const AGENT: usize = 1;
const BY_TICKET: usize = 2;
const BY_HAND: usize = 3;

/// What somebody may have, in the order in which it is taken from those who leave: the user goes last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum CloudAccess {
    Group(usize),
    Policy(usize),
    /// A permission set in this account.
    Assignment(usize),
    AccessKey,
    Password,
    /// A user of IAM, or of Identity Center.
    User,
}

/// One call of an API of AWS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloudDeed {
    Give(CloudAccess),
    Take(CloudAccess),
    /// A person's entry in the directory of Identity Center.
    Enter,
    Leave,
    /// An assignment, or its end, that AWS has accepted and not carried out yet.
    Ask(usize),
    AskEnd(usize),
    CreateGroup(usize),
    /// Gives the members of a group its policy.
    AttachGroupPolicy(usize),
    CreateSet(usize),
    AttachSetPolicy(usize),
    CreateRole(usize),
    AttachRolePolicy(usize),
    DetachRolePolicy(usize),
    // What changes nothing.
    ListUsers,
    SignIn,
    AssumeRole(usize),
}

/// Of an identity: the unique id of its user, its id in the directory, its access key.
struct Ids {
    user: String,
    person: String,
    key: String,
}

impl CloudAccess {
    /// As a ticket's item and as the ground truth name it.
    pub(crate) fn item(self) -> String {
        let target = match self {
            CloudAccess::Group(group) => format!("group_member/{}", GROUPS[group].0),
            CloudAccess::Policy(policy) => format!("policy/{}", policy_arn(POLICIES[policy])),
            CloudAccess::Assignment(set) => format!("role/{}", set_arn(set)),
            CloudAccess::AccessKey => "access_key".into(),
            CloudAccess::Password => "password".into(),
            CloudAccess::User => "account".into(),
        };
        format!("aws@{ACCOUNT}/{target}")
    }

    /// As people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            CloudAccess::Group(group) => GROUPS[group].0,
            CloudAccess::Policy(policy) => POLICIES[policy],
            CloudAccess::Assignment(set) => SETS[set].0,
            CloudAccess::AccessKey => "AWS access key",
            CloudAccess::Password => "AWS console password",
            CloudAccess::User => "AWS account",
        }
    }
}

impl CloudDeed {
    /// The source and the name of its event, and whether it says of itself that it only read.
    pub(crate) fn event(self) -> (&'static str, &'static str, bool) {
        use CloudAccess as A;
        use CloudDeed as D;
        match self {
            D::Give(A::User) => ("iam", "CreateUser", false),
            D::Take(A::User) => ("iam", "DeleteUser", false),
            D::Give(A::Password) => ("iam", "CreateLoginProfile", false),
            D::Take(A::Password) => ("iam", "DeleteLoginProfile", false),
            D::Give(A::AccessKey) => ("iam", "CreateAccessKey", false),
            D::Take(A::AccessKey) => ("iam", "DeleteAccessKey", false),
            D::Give(A::Group(_)) => ("iam", "AddUserToGroup", false),
            D::Take(A::Group(_)) => ("iam", "RemoveUserFromGroup", false),
            D::Give(A::Policy(_)) => ("iam", "AttachUserPolicy", false),
            D::Take(A::Policy(_)) => ("iam", "DetachUserPolicy", false),
            D::Ask(_) => ("sso", "CreateAccountAssignment", false),
            D::AskEnd(_) => ("sso", "DeleteAccountAssignment", false),
            D::Give(A::Assignment(_)) => ("sso", "DescribeAccountAssignmentCreationStatus", true),
            D::Take(A::Assignment(_)) => ("sso", "DescribeAccountAssignmentDeletionStatus", true),
            D::Enter => ("identitystore", "CreateUser", false),
            D::Leave => ("identitystore", "DeleteUser", false),
            D::CreateGroup(_) => ("iam", "CreateGroup", false),
            D::AttachGroupPolicy(_) => ("iam", "AttachGroupPolicy", false),
            D::CreateSet(_) => ("sso", "CreatePermissionSet", false),
            D::AttachSetPolicy(_) => ("sso", "AttachManagedPolicyToPermissionSet", false),
            D::CreateRole(_) => ("iam", "CreateRole", false),
            D::AttachRolePolicy(_) => ("iam", "AttachRolePolicy", false),
            D::DetachRolePolicy(_) => ("iam", "DetachRolePolicy", false),
            D::ListUsers => ("iam", "ListUsers", true),
            D::SignIn => ("signin", "ConsoleLogin", false),
            D::AssumeRole(_) => ("sts", "AssumeRole", true),
        }
    }

    /// What the holders of a group or of a permission set, or whoever may assume a role, have from then on.
    pub(crate) fn widens(self) -> Option<(String, String)> {
        let policy = |name: &str| format!("aws@{ACCOUNT}/policy/{}", policy_arn(name));
        match self {
            CloudDeed::AttachGroupPolicy(group) => Some((CloudAccess::Group(group).item(), policy(GROUPS[group].1))),
            CloudDeed::CreateRole(role) => {
                Some((format!("aws@{ACCOUNT}/session_role/{}", ROLES[role].0), CloudAccess::User.item()))
            }
            CloudDeed::AttachSetPolicy(set) => Some((CloudAccess::Assignment(set).item(), policy(SETS[set].2))),
            _ => None,
        }
    }

    /// The role that it is about.
    pub(crate) fn role(self) -> Option<usize> {
        match self {
            CloudDeed::CreateRole(role) | CloudDeed::AttachRolePolicy(role) | CloudDeed::DetachRolePolicy(role) => {
                Some(role)
            }
            _ => None,
        }
    }
}

/// What comes with an account of AWS, which people of the technical departments and administrators have.
pub(crate) fn baseline(company: &Company, who: IdentityIndex) -> Vec<CloudAccess> {
    let identity = company.of(who);
    let is_admin = company.admins.contains(&who);
    if !company.departments[identity.department].technical && !is_admin {
        Vec::new()
    } else if is_in_directory(company, who) {
        vec![CloudAccess::User, CloudAccess::Assignment(if is_admin { ADMINISTRATORS } else { VIEWERS })]
    } else {
        vec![CloudAccess::User, CloudAccess::Password, CloudAccess::Group(EVERYBODY)]
    }
}

/// What somebody who is in AWS may ask for.
pub(crate) fn electives(company: &Company, who: IdentityIndex) -> Vec<CloudAccess> {
    if is_in_directory(company, who) {
        return (VIEWERS + 1..SETS.len()).map(CloudAccess::Assignment).collect();
    }
    let groups = (EVERYBODY + 1..GROUPS.len()).map(CloudAccess::Group);
    let policies = (0..ELECTIVE_POLICIES).map(CloudAccess::Policy);
    groups.chain(policies).chain([CloudAccess::AccessKey]).collect()
}

/// Whether somebody comes through Identity Center. The company is about to move there: administrators and half of the
/// people have, and have no user of IAM any more.
pub(crate) fn is_in_directory(company: &Company, who: IdentityIndex) -> bool {
    company.of(who).nature == Nature::Person && (who.0 % 2 == 1 || company.admins.contains(&who))
}

pub(crate) fn arn(resource: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{resource}")
}

fn policy_arn(name: &str) -> String {
    format!("arn:aws:iam::aws:policy/{name}")
}

fn set_arn(set: usize) -> String {
    format!("arn:aws:sso:::permissionSet/{SSO_INSTANCE}/{}", SETS[set].1)
}

fn ids(who: IdentityIndex) -> Ids {
    let mut random = Random::new(who.0 as u64, "cloud ids");
    let person = uuid_text(random.uuid());
    Ids { user: unique_id("AIDA", &mut random), person, key: unique_id("AKIA", &mut random) }
}

fn role_id(role: usize) -> String {
    unique_id("AROA", &mut Random::new(role as u64, "cloud role ids"))
}

/// An id as AWS makes them: four letters that say of what, and 16 of base 32.
fn unique_id(prefix: &str, random: &mut Random) -> String {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let tail = (0..16).map(|_| char::from(*random.pick(BASE32)));
    prefix.chars().chain(tail).collect()
}
