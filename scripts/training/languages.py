"""Which nodes of which grammar define something, and which suffix speaks which language."""

from __future__ import annotations

SUFFIXES = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "javascript",
    ".ts": "typescript",
    ".tsx": "tsx",
    ".c": "c",
    ".h": "cpp",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".hpp": "cpp",
    ".hh": "cpp",
    ".go": "go",
    ".java": "java",
    ".kt": "kotlin",
    ".scala": "scala",
    ".swift": "swift",
    ".rs": "rust",
    ".rb": "ruby",
    ".php": "php",
    ".ex": "elixir",
    ".exs": "elixir",
    ".sh": "bash",
    ".bash": "bash",
    ".zsh": "bash",
    ".lua": "lua",
    ".md": "prose",
    ".rst": "prose",
    ".adoc": "prose",
}

FUNCTIONS = frozenset(
    """
    function_definition function_declaration function_item method_definition method_declaration
    constructor_declaration method singleton_method generator_function_declaration
    protocol_function_declaration init_declaration local_function
    """.split()  # noqa: SIM905 - names of nodes, not strings
)
CLASSES = frozenset(
    """
    class_definition class_declaration class_specifier struct_specifier struct_item enum_item
    trait_item impl_item interface_declaration enum_declaration object_definition
    trait_definition object_declaration protocol_declaration type_declaration class module
    record_declaration trait_declaration abstract_class_declaration type_alias_declaration
    """.split()  # noqa: SIM905 - as above
)
WRAPPERS = frozenset(("export_statement", "decorated_definition", "template_declaration"))
"""Nodes that belong to the definition inside them."""
CONTAINERS = frozenset(
    """
    source_file program module translation_unit compilation_unit chunk source block
    declaration_list class_body template_body field_declaration_list namespace_definition
    linkage_specification preproc_ifdef preproc_if preproc_else body_statement do_block
    interface_body enum_body enum_body_declarations namespace_declaration statements
    protocol_body enum_class_body internal_module expression_statement companion_object mod_item
    """.split()  # noqa: SIM905 - as above
)
ASSIGNED = frozenset(
    (
        "lexical_declaration",
        "variable_declaration",
        "expression_statement",
        "public_field_definition",
    )
)
"""JavaScript's other ways to define a function."""
BETWEEN = frozenset(("attribute_item", "annotation", "modifiers"))
"""What may stand between a comment and what it documents."""
