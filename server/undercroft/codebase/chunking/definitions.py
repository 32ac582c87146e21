"""What defines something, per language, as tree-sitter patterns.

One line is a kind and a pattern. In the pattern `@name` is what is defined (or a declarator that
holds its name), and `@scope`, where it is there, what it belongs to. The kinds of `UNITS` make
chunks of their own; the others are symbols only. `before` lines are what belongs to the definition
that follows them: attributes, decorators, documentation. Where definitions are calls, the word at
`@call` tells the kind (`CALLS`). Grammars without a table are served by `generic`.

A query is compiled once in a process: wildcards in deep patterns make that slow in large grammars.
"""

from __future__ import annotations

import re

UNITS = {
    "function": "function",
    "macro": "function",
    "test": "function",
    "method": "method",
    "constructor": "method",
    "class": "class",
    "struct": "class",
    "union": "class",
    "enum": "class",
    "interface": "class",
    "trait": "class",
    "protocol": "class",
    "object": "class",
    "record": "class",
    "impl": "class",
    "extension": "class",
    "module": "module",
    "type": "statement",
    "constant": "statement",
    "variable": "statement",
    "declaration": "statement",
    "query": "statement",
}
"""Kinds of definitions that make chunks, and the kind of those chunks."""

CALLS = {
    "defmodule": "module",
    "defprotocol": "protocol",
    "defimpl": "impl",
    "def": "function",
    "defp": "function",
    "defguard": "function",
    "defguardp": "function",
    "defdelegate": "function",
    "defn": "function",
    "defn-": "function",
    "defnp": "function",
    "defmacro": "macro",
    "defmacrop": "macro",
    "test": "test",
    "describe": "test",
    "define_method": "method",
    "define_singleton_method": "method",
    "class": "class",
    "actor": "class",
    "struct": "struct",
    "enum": "enum",
    "extension": "extension",
    "defrecord": "record",
    "deftype": "class",
    "defmulti": "function",
    "defmethod": "method",
    "defun": "function",
    "cl-defun": "function",
    "defsubst": "function",
    "defgeneric": "function",
    "defclass": "class",
    "defstruct": "struct",
    "cl-defstruct": "struct",
    "defvar": "variable",
    "defcustom": "variable",
    "defconst": "constant",
    "defparameter": "variable",
    "define": "function",
    "define-syntax": "macro",
    "define-record-type": "record",
}
"""Words that define something where definitions are calls, and what they define."""
CALLS_BEFORE = frozenset(("doc", "spec", "impl", "deprecated", "dialyzer", "since", "tag"))
"""Words of calls that belong to the definition that follows them."""

_PYTHON = """
function  (function_definition name: (_) @name)
class     (class_definition name: (_) @name)
type      (type_alias_statement left: (_) @name)
constant  (module (expression_statement (assignment left: (identifier) @name)) @unit)
constant  (module (assignment left: (identifier) @name) @unit)
field     (class_definition body: (block (assignment left: (identifier) @name) @unit))
field     (class_definition body: (block (expression_statement (assignment left: (identifier) @name)) @unit))
before    (decorator)
"""

_SCRIPT = """
function  (function_declaration name: (_) @name)
function  (generator_function_declaration name: (_) @name)
class     (class_declaration name: (_) @name)
class     (class name: (_) @name)
method    (method_definition name: (_) @name)
function  (lexical_declaration (variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function) (class)]))
function  (variable_declaration (variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function) (class)]))
function  (assignment_expression left: (_) @name right: [(arrow_function) (function_expression) (generator_function) (class)])
method    (pair key: (property_identifier) @name value: [(arrow_function) (function_expression) (generator_function)])
constant  (program (lexical_declaration (variable_declarator name: (identifier) @name)) @unit)
constant  (program (variable_declaration (variable_declarator name: (identifier) @name)) @unit)
constant  (export_statement (lexical_declaration (variable_declarator name: (identifier) @name)))
before    (decorator)
"""

_JAVASCRIPT = (
    _SCRIPT
    + """
field     (field_definition property: (_) @name)
"""
)

_TYPESCRIPT = (
    _SCRIPT
    + """
function  (function_signature name: (_) @name)
class     (abstract_class_declaration name: (_) @name)
interface (interface_declaration name: (_) @name)
enum      (enum_declaration name: (_) @name)
module    (internal_module name: (_) @name)
module    (module name: (_) @name)
type      (type_alias_declaration name: (_) @name)
field     (public_field_definition name: (_) @name)
field     (method_signature name: (_) @name)
field     (property_signature name: (_) @name)
field     (abstract_method_signature name: (_) @name)
"""
)

_GO = """
function  (function_declaration name: (_) @name)
method    (method_declaration receiver: (parameter_list (parameter_declaration type: [(type_identifier) @scope (pointer_type (type_identifier) @scope) (generic_type type: (type_identifier) @scope) (pointer_type (generic_type type: (type_identifier) @scope))])) name: (_) @name)
struct    (type_declaration . (type_spec name: (_) @name type: (struct_type)) .)
interface (type_declaration . (type_spec name: (_) @name type: (interface_type)) .)
type      (type_spec name: (_) @name)
type      (type_alias name: (_) @name)
field     (method_elem name: (_) @name)
field     (field_declaration name: (_) @name)
constant  (source_file (const_declaration (const_spec name: (_) @name) @unit))
variable  (source_file (var_declaration (var_spec name: (_) @name) @unit))
variable  (source_file (var_declaration (var_spec_list (var_spec name: (_) @name) @unit)))
"""

_RUST = """
function  (function_item name: (_) @name)
function  (function_signature_item name: (_) @name)
struct    (struct_item name: (_) @name)
union     (union_item name: (_) @name)
enum      (enum_item name: (_) @name)
trait     (trait_item name: (_) @name)
impl      (impl_item type: (_) @name)
module    (mod_item name: (_) @name body: (_))
macro     (macro_definition name: (_) @name)
type      (type_item name: (_) @name)
type      (associated_type name: (_) @name)
constant  (const_item name: (_) @name)
constant  (static_item name: (_) @name)
field     (field_declaration name: (_) @name)
field     (enum_variant name: (_) @name)
before    (attribute_item)
"""

_JAVA = """
class     (class_declaration name: (_) @name)
interface (interface_declaration name: (_) @name)
interface (annotation_type_declaration name: (_) @name)
enum      (enum_declaration name: (_) @name)
record    (record_declaration name: (_) @name)
method    (method_declaration name: (_) @name)
constructor (constructor_declaration name: (_) @name)
constructor (compact_constructor_declaration name: (_) @name)
field     (field_declaration declarator: (variable_declarator name: (_) @name))
field     (enum_constant name: (_) @name)
constant  (constant_declaration declarator: (variable_declarator name: (_) @name))
"""

_KOTLIN = """
class     (class_declaration (type_identifier) @name)
object    (object_declaration (type_identifier) @name)
object    (companion_object (type_identifier)? @name)
function  (function_declaration (receiver_type)? @scope (simple_identifier) @name)
constructor (secondary_constructor "constructor" @name)
type      (type_alias . (type_identifier) @name)
type      (type_alias (modifiers) (type_identifier) @name)
constant  (source_file (property_declaration (variable_declaration (simple_identifier) @name)) @unit)
field     (class_body (property_declaration (variable_declaration (simple_identifier) @name)) @unit)
field     (enum_entry (simple_identifier) @name)
field     (class_parameter (binding_pattern_kind) (simple_identifier) @name)
"""

_SCALA = """
class     (class_definition name: (_) @name)
object    (object_definition name: (_) @name)
object    (package_object name: (_) @name)
trait     (trait_definition name: (_) @name)
enum      (enum_definition name: (_) @name)
extension (extension_definition (parameters (parameter type: (_) @name)))
object    (given_definition name: (_) @name)
function  (function_definition name: (_) @name)
function  (function_declaration name: (_) @name)
type      (type_definition name: (_) @name)
constant  (val_definition pattern: (identifier) @name)
variable  (var_definition pattern: (identifier) @name)
constant  (val_declaration name: (_) @name)
field     (simple_enum_case name: (_) @name)
field     (full_enum_case name: (_) @name)
before    (annotation)
"""

_SWIFT = """
call      (class_declaration declaration_kind: _ @call name: (_) @name)
protocol  (protocol_declaration name: (_) @name)
function  (function_declaration name: [(simple_identifier) (bang) (custom_operator) "+" "-" "*" "/" "==" "<" ">"] @name)
function  (protocol_function_declaration name: (simple_identifier) @name)
constructor (init_declaration name: "init" @name)
method    (deinit_declaration "deinit" @name)
method    (subscript_declaration "subscript" @name)
macro     (macro_declaration name: (_) @name)
type      (typealias_declaration name: (type_identifier) @name)
type      (associatedtype_declaration name: (_) @name)
constant  (source_file (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @unit)
field     (class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @unit)
field     (protocol_property_declaration name: (pattern bound_identifier: (simple_identifier) @name))
field     (enum_entry name: (simple_identifier) @name)
"""

_C = """
function  (function_definition declarator: (_) @name)
struct    (struct_specifier name: (_) @name body: (_))
union     (union_specifier name: (_) @name body: (_))
enum      (enum_specifier name: (_) @name body: (_))
type      (type_definition declarator: (_) @name)
declaration (declaration declarator: (function_declarator) @name)
declaration (declaration declarator: (pointer_declarator declarator: (function_declarator)) @name)
variable  (translation_unit (declaration declarator: (init_declarator) @name) @unit)
constant  (preproc_def name: (_) @name)
macro     (preproc_function_def name: (_) @name)
field     (enumerator name: (_) @name)
declaration (field_declaration declarator: (function_declarator) @name)
field     (field_declaration declarator: (_) @name)
"""

_CPP = (
    _C
    + """
class     (class_specifier name: (_) @name body: (_))
module    (namespace_definition name: (_) @name body: (_))
type      (alias_declaration name: (_) @name)
type      (concept_definition name: (_) @name)
variable  (declaration_list (declaration declarator: (init_declarator) @name) @unit)
before    (template_declaration (_) @before . [(function_definition) (class_specifier) (struct_specifier) (declaration) (alias_declaration) (concept_definition)])
before    (attribute_declaration)
"""
)

_RUBY = """
module    (module name: (_) @name)
class     (class name: (_) @name)
class     (singleton_class value: (_) @name)
method    (method name: (_) @name)
method    (singleton_method name: (_) @name)
constant  (assignment left: (constant) @name)
call      (call method: (identifier) @call arguments: (argument_list . (simple_symbol) @name))
"""

_ELIXIR = """
call      (call target: (identifier) @call (arguments . (_) @name))
before    (unary_operator operand: (call target: (identifier) @call))
"""

_BASH = """
function  (function_definition name: (_) @name)
variable  (program (variable_assignment name: (variable_name) @name) @unit)
variable  (program (declaration_command (variable_assignment name: (variable_name) @name)) @unit)
"""

_CSHARP = """
module    (namespace_declaration name: (_) @name)
class     (class_declaration name: (_) @name)
struct    (struct_declaration name: (_) @name)
interface (interface_declaration name: (_) @name)
enum      (enum_declaration name: (_) @name)
record    (record_declaration name: (_) @name)
method    (method_declaration name: (_) @name)
constructor (constructor_declaration name: (_) @name)
method    (destructor_declaration name: (_) @name)
method    (property_declaration name: (_) @name)
method    (operator_declaration)
function  (local_function_statement name: (_) @name)
type      (delegate_declaration name: (_) @name)
field     (field_declaration (variable_declaration (variable_declarator name: (_) @name)))
field     (enum_member_declaration name: (_) @name)
"""

_PHP = """
module    (namespace_definition name: (_) @name body: (_))
class     (class_declaration name: (_) @name)
interface (interface_declaration name: (_) @name)
trait     (trait_declaration name: (_) @name)
enum      (enum_declaration name: (_) @name)
function  (function_definition name: (_) @name)
method    (method_declaration name: (_) @name)
constant  (const_declaration (const_element (name) @name))
field     (property_declaration (property_element (variable_name) @name))
field     (enum_case name: (_) @name)
"""

_LUA = """
function  (function_declaration name: (_) @name)
function  (assignment_statement (variable_list . name: (_) @name) (expression_list . value: (function_definition)))
method    (field name: (identifier) @name value: (function_definition))
variable  (chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name))) @unit)
"""

_HASKELL = """
class     (class name: (_) @name)
impl      (instance name: (_) @name)
type      (data_type name: (_) @name)
type      (newtype name: (_) @name)
type      (type_synomym name: (_) @name)
function  (function name: (_) @name)
function  (bind name: (variable) @name)
before    (signature)
"""

_OCAML = """
function  (value_definition (let_binding pattern: (value_name) @name))
module    (module_definition (module_binding (module_name) @name))
module    (module_type_definition (module_type_name) @name)
class     (class_definition (class_binding name: (_) @name))
method    (method_definition name: (_) @name)
type      (type_definition (type_binding name: (_) @name))
type      (exception_definition (constructor_declaration (constructor_name) @name))
declaration (value_specification (value_name) @name)
"""

_PERL = """
module    (package_statement name: (_) @name (block))
function  (subroutine_declaration_statement name: (_) @name)
method    (method_declaration_statement name: (_) @name)
"""

_R = """
function  (binary_operator lhs: (identifier) @name rhs: (function_definition))
variable  (program (binary_operator lhs: (identifier) @name operator: ["<-" "="]) @unit)
"""

_ZIG = """
function  (Decl (FnProto function: (_) @name))
constant  (source_file (Decl (VarDecl variable_type_function: (_) @name)) @unit)
test      (TestDecl (STRINGLITERALSINGLE) @name)
"""

_DART = """
class     (class_definition name: (_) @name)
class     (mixin_declaration (identifier) @name)
extension (extension_declaration name: (_) @name)
enum      (enum_declaration name: (_) @name)
function  (function_signature name: (_) @name)
constructor (constructor_signature name: (_) @name)
method    (getter_signature name: (_) @name)
method    (setter_signature name: (_) @name)
type      (type_alias (type_identifier) @name)
"""

_ERLANG = """
function  (fun_decl clause: (function_clause name: (_) @name))
record    (record_decl name: (_) @name)
macro     (pp_define lhs: (macro_lhs name: (_) @name))
before    (spec)
"""

_CLOJURE = """
call      (source (list_lit . (sym_lit) @call . (sym_lit) @name) @unit)
"""

_LISP = """
call      (source (list . (symbol) @call . (symbol) @name) @unit)
function  (function_definition name: (_) @name)
macro     (macro_definition name: (_) @name)
"""

_SCHEME = """
call      (program (list . (symbol) @call . [(symbol) @name (list . (symbol) @name)]) @unit)
"""

_JULIA = """
module    (module_definition name: (_) @name)
struct    (struct_definition (type_head (identifier) @name))
function  (function_definition (signature (call_expression . (_) @name)))
function  (assignment . (call_expression . (identifier) @name))
macro     (macro_definition (signature (call_expression . (_) @name)))
"""

_CSS = """
field     (keyframes_statement (keyframes_name) @name)
"""

_TERRAFORM = """
class     (config_file (body (block (identifier) . (string_lit (template_literal) @name)) @unit))
"""

_MAKE = """
function  (rule (targets) @name)
variable  (variable_assignment name: (_) @name)
"""

_PROTO = """
struct    (message (message_name) @name)
enum      (enum (enum_name) @name)
interface (service (service_name) @name)
field     (rpc (rpc_name) @name)
"""

TABLES = {
    "bash": _BASH,
    "c": _C,
    "clojure": _CLOJURE,
    "cpp": _CPP,
    "csharp": _CSHARP,
    "css": _CSS,
    "cuda": _CPP,
    "dart": _DART,
    "elisp": _LISP,
    "elixir": _ELIXIR,
    "erlang": _ERLANG,
    "go": _GO,
    "haskell": _HASKELL,
    "hcl": _TERRAFORM,
    "java": _JAVA,
    "javascript": _JAVASCRIPT,
    "julia": _JULIA,
    "kotlin": _KOTLIN,
    "lua": _LUA,
    "make": _MAKE,
    "ocaml": _OCAML,
    "ocaml_interface": _OCAML,
    "perl": _PERL,
    "php": _PHP,
    "proto": _PROTO,
    "python": _PYTHON,
    "r": _R,
    "ruby": _RUBY,
    "rust": _RUST,
    "scala": _SCALA,
    "scheme": _SCHEME,
    "scss": _CSS,
    "starlark": _PYTHON,
    "swift": _SWIFT,
    "tsx": _TYPESCRIPT,
    "typescript": _TYPESCRIPT,
    "zig": _ZIG,
}

GENERIC_NODE = re.compile(
    r"_(?:definition|declaration|item|statement|spec|specifier|decl|def|function|method|class"
    r"|module|block|rule|type)$"
    r"|^(?:function|method|class|module|interface|struct|enum|record|trait|procedure|sub|subroutine)"
)
"""Names of nodes that may define something, in grammars without a table."""
GENERIC_KINDS = (
    ("method", "method"),
    ("constructor", "constructor"),
    ("func", "function"),
    ("procedure", "function"),
    ("subroutine", "function"),
    ("subprogram", "function"),
    ("macro", "macro"),
    ("class", "class"),
    ("struct", "struct"),
    ("union", "union"),
    ("enum", "enum"),
    ("interface", "interface"),
    ("trait", "trait"),
    ("protocol", "protocol"),
    ("record", "record"),
    ("object", "object"),
    ("contract", "class"),
    ("message", "struct"),
    ("service", "interface"),
    ("impl", "impl"),
    ("extension", "extension"),
    ("module", "module"),
    ("namespace", "module"),
    ("package", "module"),
    ("type", "type"),
    ("const", "constant"),
    ("var", "variable"),
)
"""A word in a node's name, and the kind of definition that it tells."""


def table_of(language: str) -> list[tuple[str, str]]:
    """The (kind, pattern) lines of a language; none if it has no table."""
    lines = TABLES.get(language, "").split("\n")
    return [
        (kind, pattern.strip())
        for kind, _, pattern in (line.partition(" ") for line in lines if line)
    ]


def generic(node: str) -> tuple[str, str] | None:
    """The (kind, pattern) line for a node type of a grammar without a table."""
    if not GENERIC_NODE.search(node):
        return None
    for word, kind in GENERIC_KINDS:
        if word in node:
            return kind, f"({node} name: (_) @name)"
    return None
