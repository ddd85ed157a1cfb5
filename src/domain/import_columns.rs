//! The columns of a file: what each may hold, and the names that people give them.

use std::fmt;
use std::str::FromStr;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The account's name: mostly the member's e-mail address.
    Account,
    /// The credits of the grant.
    Credits,
    /// Until when the credits count.
    Expires,
    /// Why the credits are granted.
    Reason,
    /// The name under which the grant is made only once.
    Reference,
    /// The account's tier.
    Tier,
    /// The account's tags.
    Tags,
    /// Further addresses of the account.
    Aliases,
    /// The attribute of the account with this name.
    Attribute(String),
}

/// How the name of a column for an attribute begins.
const ATTRIBUTE: &str = "attribute:";

/// The fields with one name, and that name.
const NAMED: [(Field, &str); 8] = [
    (Field::Account, "account"),
    (Field::Credits, "credits"),
    (Field::Expires, "expires"),
    (Field::Reason, "reason"),
    (Field::Reference, "reference"),
    (Field::Tier, "tier"),
    (Field::Tags, "tags"),
    (Field::Aliases, "aliases"),
];

/// Names that spreadsheets and shops give to columns, without capitals, blanks and signs. Only names
/// with one meaning are here: a quantity or a balance is not certainly a number of credits to grant.
const WELL_KNOWN: [(&str, Field); 49] = [
    ("email", Field::Account),
    ("mail", Field::Account),
    ("emailaddress", Field::Account),
    ("mailaddress", Field::Account),
    ("emailadresse", Field::Account),
    ("mailadresse", Field::Account),
    ("customeremail", Field::Account),
    ("memberemail", Field::Account),
    ("konto", Field::Account),
    ("courriel", Field::Account),
    ("adresseemail", Field::Account),
    ("adressemail", Field::Account),
    ("correo", Field::Account),
    ("correoelectrónico", Field::Account),
    ("correoelectronico", Field::Account),
    ("emailadres", Field::Account),
    ("indirizzoemail", Field::Account),
    ("credit", Field::Credits),
    ("guthaben", Field::Credits),
    ("crédits", Field::Credits),
    ("créditos", Field::Credits),
    ("creditos", Field::Credits),
    ("crediti", Field::Credits),
    ("expiry", Field::Expires),
    ("expirydate", Field::Expires),
    ("expirationdate", Field::Expires),
    ("expireson", Field::Expires),
    ("validuntil", Field::Expires),
    ("gültigbis", Field::Expires),
    ("gueltigbis", Field::Expires),
    ("ablaufdatum", Field::Expires),
    ("valablejusquau", Field::Expires),
    ("dateexpiration", Field::Expires),
    ("fechadecaducidad", Field::Expires),
    ("geldigtot", Field::Expires),
    ("grund", Field::Reason),
    ("motif", Field::Reason),
    ("motivo", Field::Reason),
    ("referenz", Field::Reference),
    ("référence", Field::Reference),
    ("referencia", Field::Reference),
    ("stufe", Field::Tier),
    ("niveau", Field::Tier),
    ("nivel", Field::Tier),
    ("tag", Field::Tags),
    ("schlagworte", Field::Tags),
    ("étiquettes", Field::Tags),
    ("etiquetas", Field::Tags),
    ("alias", Field::Aliases),
];

/// Names of columns that files of members often have and that no import needs.
const NEVER_READ: [&str; 22] = [
    "name",
    "fullname",
    "firstname",
    "lastname",
    "surname",
    "givenname",
    "familyname",
    "customername",
    "membername",
    "vorname",
    "nachname",
    "nom",
    "prénom",
    "nombre",
    "apellido",
    "apellidos",
    "phone",
    "phonenumber",
    "telephone",
    "telefon",
    "téléphone",
    "teléfono",
];

impl Field {
    /// Returns the field that a name of the format has.
    fn from_name(name: &str) -> Option<Self> {
        let lower_case = name.to_lowercase();
        if lower_case.starts_with(ATTRIBUTE) {
            let attribute = name.get(ATTRIBUTE.len()..).unwrap_or_default().trim();
            return (!attribute.is_empty()).then(|| Self::Attribute(attribute.to_owned()));
        }
        let named = NAMED.iter().find(|(_, known)| *known == lower_case);
        named.map(|(field, _)| field.clone())
    }

    /// Returns the field that the name of a column means, if that is certain.
    pub fn from_column(name: &str) -> Option<Self> {
        Self::from_name(name).or_else(|| {
            let simplified = simplify(name);
            let mut known = WELL_KNOWN.iter();
            known
                .find(|(known, _)| *known == simplified)
                .map(|(_, field)| field.clone())
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Attribute(name) = self {
            return write!(f, "{ATTRIBUTE}{name}");
        }
        let named = NAMED.iter().find(|(field, _)| field == self);
        f.write_str(named.map_or("", |(_, name)| name))
    }
}

/// Returns true for a column that files of members often have and that no import needs.
pub fn is_never_read(name: &str) -> bool {
    NEVER_READ.contains(&simplify(name).as_str())
}

/// Returns a name without capitals, blanks and signs.
fn simplify(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// A column that the operator named for a field: `account=E-Mail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMapping {
    /// What the column holds.
    pub field: Field,
    /// The name of the column in the header.
    pub column: String,
}

impl FromStr for ColumnMapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (field, column) = text
            .split_once('=')
            .ok_or_else(|| "expected FIELD=COLUMN, as in account=E-Mail".to_owned())?;
        let field_name = field.trim();
        let field = Field::from_name(field_name).ok_or_else(|| {
            format!(
                "there is no field {field_name:?}; the fields are account, credits, expires, \
                 reason, reference, tier, tags, aliases and attribute:NAME"
            )
        })?;
        match column.trim() {
            "" => Err(format!("name the column for {field}, as in {field}=Column")),
            column => Ok(Self {
                field,
                column: column.to_owned(),
            }),
        }
    }
}

impl fmt::Display for ColumnMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.field, self.column)
    }
}

/// What the operator says about the columns of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnOptions {
    /// Columns with names of the operator's own.
    pub mappings: Vec<ColumnMapping>,
    /// Columns that are not read.
    pub ignored: Vec<String>,
}
