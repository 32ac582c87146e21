"""Small sources in many languages, written for these tests."""

from textwrap import dedent

BODY = "total = total + step  # keeps the sum of what was seen so far\n"

SAMPLES = {
    path: dedent(text).lstrip("\n")
    for path, text in {
        "shop.py": '''
            """A shop."""
            import math

            LIMIT = 3

            # What a basket holds.
            @frozen
            class Basket(Base):
                """Things."""

                size: int = 0

                @property
                def total(self) -> float:
                    return math.fsum(price(thing) for thing in self.things)

                def add(self, thing):
                    """Adds it."""
                    self.things.append(thing)

            async def checkout(basket):
                """Pays "all" of it."""
                await basket.pay()
            ''',
        "shop.js": """
            const limit = 3;

            /**
             * Pays.
             */
            export const pay = async (basket) => {
              return basket.total();
            };

            class Basket extends Base {
              #things = [];
              add(thing) { this.#things.push(thing); }
            }

            app.use = function use(fn) {
              return fn;
            };
            module.exports = { pay, Basket };
            """,
        "shop.ts": """
            export interface Thing { price: number }
            export type Id = string;

            @Injectable()
            export class Basket<T extends Thing> {
              constructor(private things: T[]) {}
              total(): number { return sum(this.things); }
            }
            export namespace Till { export function open(): void {} }
            """,
        "shop.tsx": """
            export function Basket({ things }: Props) {
              return <ul>{things.map((thing) => <Row key={thing.id} />)}</ul>;
            }
            """,
        "shop.go": """
            package shop

            import "fmt"

            // Basket holds things.
            type Basket struct {
                things []Thing
            }

            // Add adds one.
            func (b *Basket) Add(t Thing) { b.things = append(b.things, t) }

            func New() *Basket { return &Basket{} }
            """,
        "shop.rs": """
            use std::fmt;

            /// Holds things.
            #[derive(Debug)]
            pub struct Basket<T> { things: Vec<T> }

            impl<T> Basket<T> {
                /// Adds one.
                pub fn add(&mut self, thing: T) { self.things.push(thing) }
            }

            impl<T> fmt::Display for Basket<T> {
                fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { write!(f, "basket") }
            }
            macro_rules! basket { () => { Basket { things: vec![] } } }
            """,
        "Shop.java": """
            package shop;

            /** A shop. */
            @Service
            public class Shop implements Store {
              private final int limit = 3;
              public Shop() {}
              @Override
              public int total(List<Thing> things) { return things.size(); }
              enum State { OPEN, SHUT }
            }
            """,
        "Shop.kt": """
            package shop

            /** A shop. */
            class Shop(val limit: Int) : Store {
              companion object { const val MAX = 3 }
              fun total(things: List<Thing>): Int = things.size
            }
            fun String.shout() = uppercase()
            """,
        "Shop.scala": """
            package shop

            object Shop {
              def open(limit: Int): Shop =
                new Shop(limit)

              /** Shuts. */
              def shut(): Unit = ()
            }
            case class Thing(price: Double) extends Item
            """,
        "Shop.swift": """
            import Foundation

            /// A shop.
            public struct Shop {
              let limit: Int
              init(limit: Int) { self.limit = limit }
              func total(of things: [Thing]) -> Int { things.count }
            }
            extension Shop: Store { func open() {} }
            """,
        "shop.c": """
            #include <stdio.h>
            #define LIMIT 3

            /* Holds things. */
            struct basket { int size; };

            static int *
            total(struct basket *b)
            {
              return &b->size;
            }
            """,
        "shop.cpp": """
            namespace shop {
            SHOP_NAMESPACE_BEGIN
            // Holds things.
            template <typename T>
            class SHOP_EXPORT Basket : public Base {
             public:
              explicit Basket(int size) : size_(size) {}
              int total() const;
             private:
              int size_;
            };

            int Basket::total() const { return size_; }
            SHOP_NAMESPACE_END
            }
            """,
        "shop.rb": """
            module Shop
              # Holds things.
              class Basket < Base
                LIMIT = 3
                def self.empty = new
                def add(thing)
                  @things << thing
                end
              end
            end
            """,
        "shop.ex": '''
            defmodule Shop.Basket do
              @moduledoc """
              Holds things.
              """

              @doc "Adds one."
              @spec add(t, term) :: t
              def add(basket, thing) when is_map(basket) do
                %{basket | things: [thing | basket.things]}
              end

              defp empty, do: %{}
            end
            ''',
        "shop.sh": """
            #!/bin/bash
            LIMIT=3
            # Pays.
            pay() {
              echo "paid $1"
            }
            function shut {
              exit 0
            }
            pay "$LIMIT"
            """,
        "shop.php": """
            <?php
            namespace Shop;
            class Basket extends Base {
              public function add(Thing $thing): void { $this->things[] = $thing; }
            }
            function pay(Basket $basket) { return $basket->total(); }
            """,
        "shop.cs": """
            namespace Shop {
              public class Basket : Base {
                public int Total(List<Thing> things) { return things.Count; }
              }
            }
            """,
        "shop.lua": """
            local M = {}
            function M.pay(basket) return basket.total end
            return M
            """,
        "shop.hs": """
            module Shop where
            data Basket = Basket Int
            total :: Basket -> Int
            total (Basket n) = n
            """,
        "shop.ml": """
            module Shop = struct
              let total basket = List.length basket
            end
            """,
        "shop.zig": """
            const std = @import("std");
            pub fn total(size: u8) u8 { return size; }
            """,
        "shop.vue": """
            <script setup lang="ts">
            const total = () => 3
            </script>

            <template>
              <p>{{ total }}</p>
            </template>
            """,
        "shop.sql": """
            -- Holds things.
            CREATE TABLE IF NOT EXISTS shop.basket (id int, note text DEFAULT 'a;b');

            CREATE OR REPLACE FUNCTION shop.total() RETURNS int AS $$
            BEGIN
              RETURN 1; -- not the end
            END;
            $$ LANGUAGE plpgsql;
            SELECT 1; SELECT 2;
            """,
        "shop.md": """
            # Shop

            Sells things.

            ## Pay

            ```sh
            # no heading
            pay
            ```

            Shut
            ----
            Later.
            """,
        "shop.rst": """
            Shop
            ====

            Sells things.

            Pay
            ---

            Here.
            """,
        "shop.yaml": """
            # Ports.
            ports:
              web: 80
            paths:
              - a
            """,
        "shop.toml": """
            name = "shop"

            [tool.pay]
            limit = 3
            """,
        "shop.json": """
            {
              "name": "shop",
              "paths": ["a", "b"]
            }
            """,
    }.items()
}
