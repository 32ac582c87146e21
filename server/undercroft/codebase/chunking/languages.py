"""Which language a file is written in: by its name, else by its first line."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

BY_SUFFIX = {
    suffix: language
    for language, suffixes in {
        "actionscript": "as",
        "ada": "ada adb ads",
        "agda": "agda",
        "arduino": "ino",
        "asm": "s asm",
        "astro": "astro",
        "bash": "sh bash zsh ksh bats ebuild eclass",
        "bibtex": "bib",
        "bicep": "bicep",
        "c": "c",
        "cairo": "cairo",
        "capnp": "capnp",
        "clojure": "clj cljs cljc edn bb",
        "cmake": "cmake",
        "commonlisp": "lisp lsp cl asd",
        "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp inl tpp ixx cppm",
        "csharp": "cs csx",
        "css": "css",
        "csv": "csv tsv psv",
        "cuda": "cu cuh",
        "d": "d di",
        "dart": "dart",
        "dockerfile": "dockerfile containerfile",
        "elisp": "el",
        "elixir": "ex exs",
        "elm": "elm",
        "erlang": "erl hrl",
        "fennel": "fnl",
        "fish": "fish",
        "fortran": "f for f77 f90 f95 f03 f08",
        "fsharp": "fs fsx",
        "gdscript": "gd",
        "gleam": "gleam",
        "glsl": "glsl vert frag comp geom tesc tese",
        "go": "go",
        "graphql": "graphql gql graphqls",
        "groovy": "groovy gradle gvy",
        "hack": "hack hhi",
        "hare": "ha",
        "haskell": "hs",
        "haxe": "hx",
        "hcl": "hcl tf tfvars nomad",
        "heex": "heex eex leex",
        "hlsl": "hlsl",
        "html": "html htm xhtml",
        "ini": "ini cfg conf properties editorconfig desktop service env",
        "java": "java",
        "javascript": "js mjs cjs jsx es6",
        "json": "json jsonc json5 geojson webmanifest ipynb",
        "jsonlines": "jsonl ndjson",
        "jsonnet": "jsonnet libsonnet",
        "julia": "jl",
        "kotlin": "kt kts",
        "latex": "tex sty cls",
        "lua": "lua rockspec",
        "luau": "luau",
        "make": "mk mak make",
        "markdown": "md markdown mdx mkd qmd rmd",
        "matlab": "m",
        "meson": "meson",
        "nim": "nim nims",
        "nix": "nix",
        "objc": "mm",
        "ocaml": "ml",
        "ocaml_interface": "mli",
        "odin": "odin",
        "org": "org",
        "pascal": "pas pp dpr lpr",
        "perl": "pl pm t psgi",
        "php": "php phtml php5 php7",
        "powershell": "ps1 psm1 psd1",
        "prisma": "prisma",
        "proto": "proto",
        "purescript": "purs",
        "puppet": "epp",
        "python": "py pyi pyw pyx pxd wsgi",
        "r": "r",
        "racket": "rkt",
        "rego": "rego",
        "rst": "rst rest",
        "ruby": "rb rake gemspec ru builder jbuilder podspec thor",
        "rust": "rs",
        "scala": "scala sc sbt",
        "scheme": "scm ss sld",
        "scss": "scss sass less",
        "solidity": "sol",
        "sql": "sql ddl dml psql pgsql plsql mysql",
        "starlark": "bzl star bazel",
        "svelte": "svelte",
        "swift": "swift",
        "tablegen": "td",
        "tcl": "tcl",
        "text": "txt text adoc asciidoc log",
        "thrift": "thrift",
        "toml": "toml",
        "tsx": "tsx",
        "twig": "twig",
        "typescript": "ts mts cts",
        "typst": "typ",
        "v": "v vsh",
        "verilog": "sv svh vh",
        "vhdl": "vhd vhdl",
        "vim": "vim",
        "vue": "vue",
        "wgsl": "wgsl",
        "xml": "xml xsd xsl xslt svg plist csproj fsproj vbproj props targets xaml rng wsdl pom",
        "yaml": "yaml yml",
        "zig": "zig zon",
    }.items()
    for suffix in suffixes.split()
}
BY_NAME = {
    name: language
    for language, names in {
        "bash": ".bashrc .bash_profile .profile .zshrc .zshenv PKGBUILD configure",
        "cmake": "CMakeLists.txt",
        "dockerfile": "Dockerfile Containerfile",
        "gomod": "go.mod",
        "groovy": "Jenkinsfile",
        "ini": ".gitconfig .npmrc .flake8 .pylintrc .coveragerc",
        "json": ".babelrc .eslintrc .prettierrc",
        "make": "Makefile makefile GNUmakefile",
        "meson": "meson.build meson_options.txt",
        "ruby": "Rakefile Gemfile Guardfile Vagrantfile Podfile Fastfile Brewfile",
        "starlark": "BUILD WORKSPACE Tiltfile",
        "text": "README LICENSE COPYING NOTICE AUTHORS CHANGES CHANGELOG INSTALL NEWS TODO",
        "vim": ".vimrc",
    }.items()
    for name in names.split()
}
BY_INTERPRETER = {
    "sh": "bash",
    "bash": "bash",
    "dash": "bash",
    "zsh": "bash",
    "ksh": "bash",
    "fish": "fish",
    "python": "python",
    "pypy": "python",
    "node": "javascript",
    "deno": "typescript",
    "bun": "typescript",
    "ts-node": "typescript",
    "ruby": "ruby",
    "perl": "perl",
    "php": "php",
    "lua": "lua",
    "Rscript": "r",
    "elixir": "elixir",
    "escript": "erlang",
    "tclsh": "tcl",
    "make": "make",
}
SHEBANG = re.compile(r"#!\s*(?:\S*/)?([^/\s]+)(?:\s+(?:-\S+\s+)*(?:\w+=\S*\s+)*([^\s/]+))?")
CPLUSPLUS = re.compile(
    r"^\s*(?:class\s+\w|namespace\b|template\s*<|using\s+\w|public:|private:|protected:)|std::|\bconstexpr\b",
    re.MULTILINE,
)
OBJECTIVE_C = re.compile(
    r"^\s*(?:@(?:interface|implementation|protocol|import|class|end)\b|#import\s)", re.MULTILINE
)
LOOK = 20_000
"""Characters of a header that are looked at to tell C from C++."""


def language_of(path: str, text: str) -> str:
    """The language, by the grammar's name; "text" when nothing tells."""
    name = PurePosixPath(path).name
    if language := BY_NAME.get(name):
        return language
    suffix = name.rpartition(".")[2] if "." in name else ""
    if suffix in {"h", "m"}:
        return _c_family(suffix, text[:LOOK])
    if language := BY_SUFFIX.get(suffix) or BY_SUFFIX.get(suffix.lower()):
        return language
    if name.lower().startswith(("dockerfile.", "containerfile.")):
        return "dockerfile"
    return _by_first_line(text)


def _c_family(suffix: str, text: str) -> str:
    if OBJECTIVE_C.search(text):
        return "objc"
    if suffix == "m":
        return "matlab"
    return "cpp" if CPLUSPLUS.search(text) else "c"


def _by_first_line(text: str) -> str:
    found = SHEBANG.match(text)
    if not found:
        return "text"
    program, argument = found.groups()
    if program == "env" and argument:
        program = argument
    return BY_INTERPRETER.get(program) or BY_INTERPRETER.get(program.rstrip("0123456789."), "text")
