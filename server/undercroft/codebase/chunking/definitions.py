"""What defines something, per language, as tree-sitter patterns.

One line is a kind and a pattern. In the pattern `@name` is what is defined, and `@scope`, where
it is there, what it belongs to. The kinds of `UNITS` make chunks of their own; the others are
symbols only. `before` lines are what belongs to the definition that follows them: attributes,
decorators, documentation. Grammars without a table are served by `generic`.
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
}
"""Kinds of definitions that make chunks, and the kind of those chunks."""

_PYTHON = """
function  (function_definition name: (_) @name)
class     (class_definition name: (_) @name)
type      (type_alias_statement left: (_) @name)
constant  (module (expression_statement (assignment left: (identifier) @name)))
constant  (module (assignment left: (identifier) @name))
field     (class_definition body: (block (assignment left: (identifier) @name)))
field     (class_definition body: (block (expression_statement (assignment left: (identifier) @name))))
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
function  (expression_statement (assignment_expression left: (member_expression object: (_) @scope property: (_) @name) right: [(arrow_function) (function_expression) (generator_function) (class)]))
function  (expression_statement (assignment_expression left: (identifier) @name right: [(arrow_function) (function_expression) (generator_function) (class)]))
method    (pair key: (property_identifier) @name value: [(arrow_function) (function_expression) (generator_function)])
constant  (program (lexical_declaration (variable_declarator name: (identifier) @name)))
constant  (program (variable_declaration (variable_declarator name: (identifier) @name)))
constant  (export_statement (lexical_declaration (variable_declarator name: (identifier) @name)))
before    (decorator)
"""

_JAVASCRIPT = (
    _SCRIPT
    + """
method    (field_definition property: (_) @name value: [(arrow_function) (function_expression)])
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
method    (public_field_definition name: (_) @name value: [(arrow_function) (function_expression)])
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
constant  (source_file (const_declaration (const_spec name: (_) @name)))
variable  (source_file (var_declaration (var_spec name: (_) @name)))
variable  (source_file (var_declaration (var_spec_list (var_spec name: (_) @name))))
"""

_RUST = """
function  (function_item name: (_) @name)
function  (function_signature_item name: (_) @name)
struct    (struct_item name: (_) @name)
union     (union_item name: (_) @name)
enum      (enum_item name: (_) @name)
trait     (trait_item name: (_) @name)
impl      (impl_item type: [(type_identifier) @name (generic_type type: (_) @name) (scoped_type_identifier name: (_) @name) (reference_type type: (type_identifier) @name)])
impl      (impl_item trait: [(type_identifier) @name (generic_type type: (_) @name) (scoped_type_identifier name: (_) @name)])
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
constant  (source_file (property_declaration (variable_declaration (simple_identifier) @name)))
field     (class_body (property_declaration (variable_declaration (simple_identifier) @name)))
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
class     (class_declaration declaration_kind: ["class" "actor"] name: (_) @name)
struct    (class_declaration declaration_kind: "struct" name: (_) @name)
enum      (class_declaration declaration_kind: "enum" name: (_) @name)
extension (class_declaration declaration_kind: "extension" name: (_) @name)
protocol  (protocol_declaration name: (_) @name)
function  (function_declaration name: [(simple_identifier) (bang) (custom_operator) "+" "-" "*" "/" "==" "<" ">"] @name)
function  (protocol_function_declaration name: (simple_identifier) @name)
constructor (init_declaration name: "init" @name)
method    (deinit_declaration "deinit" @name)
method    (subscript_declaration "subscript" @name)
macro     (macro_declaration name: (_) @name)
type      (typealias_declaration name: (type_identifier) @name)
type      (associatedtype_declaration name: (_) @name)
constant  (source_file (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)))
field     (class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)))
field     (protocol_property_declaration name: (pattern bound_identifier: (simple_identifier) @name))
field     (enum_entry name: (simple_identifier) @name)
"""

_C = """
function  (function_definition declarator: (function_declarator declarator: (_) @name))
function  (function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name)))
function  (function_definition declarator: (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name))))
struct    (struct_specifier name: (_) @name body: (_))
union     (union_specifier name: (_) @name body: (_))
enum      (enum_specifier name: (_) @name body: (_))
struct    (type_definition type: (struct_specifier body: (_)) declarator: (type_identifier) @name)
union     (type_definition type: (union_specifier body: (_)) declarator: (type_identifier) @name)
enum      (type_definition type: (enum_specifier body: (_)) declarator: (type_identifier) @name)
type      (type_definition declarator: (type_identifier) @name)
type      (type_definition declarator: (function_declarator declarator: (parenthesized_declarator (pointer_declarator declarator: (type_identifier) @name))))
declaration (declaration declarator: (function_declarator declarator: (identifier) @name))
declaration (declaration declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name)))
variable  (translation_unit (declaration declarator: (init_declarator declarator: (identifier) @name)))
constant  (preproc_def name: (_) @name)
macro     (preproc_function_def name: (_) @name)
field     (enumerator name: (_) @name)
field     (field_declaration declarator: (field_identifier) @name)
field     (field_declaration declarator: (pointer_declarator declarator: (field_identifier) @name))
"""

_CPP = (
    _C
    + """
function  (function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name)))
function  (function_definition declarator: (operator_cast) @name)
class     (class_specifier name: (_) @name body: (_))
module    (namespace_definition name: (_) @name body: (_))
type      (alias_declaration name: (_) @name)
type      (concept_definition name: (_) @name)
declaration (field_declaration declarator: (function_declarator declarator: (_) @name))
declaration (field_declaration declarator: (reference_declarator (function_declarator declarator: (_) @name)))
declaration (field_declaration declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name)))
variable  (declaration_list (declaration declarator: (init_declarator declarator: (identifier) @name)))
before    (template_declaration parameters: (_) @before)
before    (template_declaration (requires_clause) @before)
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
method    (call method: (identifier) @_call arguments: (argument_list . (simple_symbol) @name) block: (_) (#any-of? @_call "define_method" "define_singleton_method" "helper_method"))
"""

_ELIXIR = """
module    (call target: (identifier) @_call (arguments . (alias) @name) (do_block) (#any-of? @_call "defmodule" "defprotocol" "defimpl"))
function  (call target: (identifier) @_call (arguments . [(identifier) @name (call target: (identifier) @name) (binary_operator left: (call target: (identifier) @name)) (binary_operator left: (identifier) @name)]) (#any-of? @_call "def" "defp" "defguard" "defguardp" "defdelegate" "defn" "defnp"))
macro     (call target: (identifier) @_call (arguments . [(identifier) @name (call target: (identifier) @name) (binary_operator left: (call target: (identifier) @name))]) (#any-of? @_call "defmacro" "defmacrop"))
test      (call target: (identifier) @_call (arguments . (string (quoted_content) @name)) (do_block) (#any-of? @_call "test" "describe"))
before    (unary_operator operand: (call target: (identifier) @_call) (#any-of? @_call "doc" "spec" "impl" "deprecated" "dialyzer" "since" "tag"))
"""

_BASH = """
function  (function_definition name: (_) @name)
variable  (program (variable_assignment name: (variable_name) @name))
variable  (program (declaration_command (variable_assignment name: (variable_name) @name)))
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
variable  (chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name))))
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
variable  (program (binary_operator lhs: (identifier) @name operator: ["<-" "="]))
"""

_ZIG = """
function  (function_declaration name: (_) @name)
struct    (variable_declaration (identifier) @name [(struct_declaration) (union_declaration) (enum_declaration)])
constant  (source_file (variable_declaration (identifier) @name))
test      (test_declaration [(string) (identifier)] @name)
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
function  (source (list_lit . (sym_lit) @_call . (sym_lit) @name (#match? @_call "^def")))
"""

_LISP = """
function  (source (list . (symbol) @_call . (symbol) @name (#match? @_call "^(cl-)?def")))
"""

_SCHEME = """
function  (program (list . (symbol) @_call . [(symbol) @name (list . (symbol) @name)] (#match? @_call "^define")))
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
class     (config_file (body (block (identifier) (string_lit (template_literal) @name))))
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
    "elisp": "",
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
    lines = TABLES.get(language, "").strip().splitlines()
    return [(kind, pattern.strip()) for kind, _, pattern in (line.partition(" ") for line in lines)]


def generic(node: str) -> tuple[str, str] | None:
    """The (kind, pattern) line for a node type of a grammar without a table."""
    if not GENERIC_NODE.search(node):
        return None
    for word, kind in GENERIC_KINDS:
        if word in node:
            return kind, f"({node} name: (_) @name)"
    return None
