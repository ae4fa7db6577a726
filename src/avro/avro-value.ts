/** An Avro schema as an object, or the name of a type. Written `as const`, or in place, its values are typed by it. */
export type AvroSchema = string | readonly AvroSchema[] | AvroObject

/** A schema that is more than a name. */
export interface AvroObject {
  readonly type: AvroSchema
  readonly [attribute: string]: unknown
}

/** How values look where a schema leaves a choice. */
export interface AvroChoices {
  readonly longs: 'number' | 'bigint'
}

/**
 * The type of the values of a schema. Names are followed into the types around them; a type that is named elsewhere is
 * `unknown`, and so is all of a schema that the compiler sees as text alone.
 */
export type AvroValue<
  Schema,
  Choices extends AvroChoices = { longs: 'number' },
  Names = unknown,
> = AvroSchema extends Schema
  ? unknown
  : Schema extends string
    ? AvroNamed<Schema, Choices, Names>
    : Schema extends readonly unknown[]
      ? AvroUnion<Schema, Choices, Names>
      : Schema extends { readonly logicalType: 'timestamp-millis' | 'date'; readonly type: 'int' | 'long' }
        ? Date
        : Schema extends
              | { readonly logicalType: 'decimal'; readonly type: 'bytes' | 'fixed' }
              | { readonly logicalType: 'uuid'; readonly type: 'string' | 'fixed' }
          ? string
          : Schema extends { readonly type: infer Type }
            ? AvroComplex<Schema, Type, Choices, Names>
            : unknown

/** A type by its name: of Avro, or of a type around it. */
export type AvroNamed<Name extends string, Choices extends AvroChoices, Names> = Name extends keyof AvroPrimitives
  ? AvroPrimitives[Name]
  : Name extends 'long'
    ? Choices['longs'] extends 'bigint'
      ? bigint
      : number
    : Name extends keyof Names
      ? AvroValue<Names[Name], Choices, Names>
      : unknown

/** The types that Avro has itself. */
export interface AvroPrimitives {
  null: null
  boolean: boolean
  int: number
  float: number
  double: number
  bytes: Buffer
  string: string
}

/** A type that is described by an object. */
export type AvroComplex<Schema, Type, Choices extends AvroChoices, Names> = Type extends 'record' | 'error'
  ? Schema extends { readonly name: infer Name extends string; readonly fields: infer Fields }
    ? Fields extends readonly unknown[]
      ? AvroRecord<Fields, Choices, Names & { readonly [Own in Name]: Schema }>
      : unknown
    : unknown
  : Type extends 'enum'
    ? Schema extends { readonly symbols: readonly (infer Symbol)[] }
      ? Symbol
      : string
    : Type extends 'array'
      ? Schema extends { readonly items: infer Items }
        ? AvroValue<Items, Choices, Names>[]
        : unknown
      : Type extends 'map'
        ? Schema extends { readonly values: infer Values }
          ? { [key: string]: AvroValue<Values, Choices, Names> }
          : unknown
        : Type extends 'fixed'
          ? Buffer
          : AvroValue<Type, Choices, Names>

/** The fields of a record. */
export type AvroRecord<Fields extends readonly unknown[], Choices extends AvroChoices, Names> = {
  [
    Field in Fields[number] as Field extends { readonly name: infer Name extends string } ? Name : never
  ]: Field extends { readonly type: infer Type } ? AvroValue<Type, Choices, Names> : unknown
}

/** Where two branches look alike in JavaScript (two records, two kinds of number) avsc wraps them, and nobody can tell here. */
export type AvroUnion<
  Branches extends readonly unknown[],
  Choices extends AvroChoices,
  Names,
> = Branches extends readonly [infer Only]
  ? AvroValue<Only, Choices, Names>
  : Branches extends readonly ['null', infer Other] | readonly [infer Other, 'null']
    ? AvroValue<Other, Choices, Names> | null
    : AreSimpleAvro<Branches> extends true
      ? AvroValue<Branches[number], Choices, Names>
      : unknown

/** Each of them shows by `typeof` which it is. */
export type AreSimpleAvro<Branches extends readonly unknown[]> = Branches[number] extends
  'null' | 'boolean' | 'string' | 'bytes' | 'int'
  ? true
  : Branches[number] extends 'null' | 'boolean' | 'string' | 'bytes' | 'double'
    ? true
    : Branches[number] extends 'null' | 'boolean' | 'string' | 'bytes' | 'long'
      ? true
      : false
