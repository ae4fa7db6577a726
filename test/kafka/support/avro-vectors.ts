/** A value that goes from here to Java and back. */
export interface AvroVector {
  readonly name: string
  readonly writer: unknown
  readonly value: unknown
  /** Default: as the writer's. */
  readonly reader?: unknown
  /** What the reader finds, when that is another value. */
  readonly read?: unknown
  readonly longs?: 'bigint'
  /** Values of unions name their branch. */
  readonly wrapped?: true
}

type Case = readonly [name: string, schema: unknown, values: readonly unknown[], more?: Partial<AvroVector>]

const record = (...fields: readonly unknown[]) => ({ type: 'record', name: 'R', fields })
const field = (name: string, type: unknown, byDefault?: { readonly default: unknown }) => ({ name, type, ...byDefault })
const orElse = (value: unknown) => ({ default: value })
const logical = (type: unknown, logicalType: string, more: object = {}) => ({
  ...(typeof type === 'string' ? { type } : (type as object)),
  logicalType,
  ...more,
})
const fixed = (size: number) => ({ type: 'fixed', name: 'F', size })
const decimal = (precision: number, scale: number) => logical('bytes', 'decimal', { precision, scale })
const suit = { type: 'enum', name: 'Suit', symbols: ['CLUBS', 'HEARTS', 'SPADES'] }
const array = (items: unknown) => ({ type: 'array', items })
const map = (values: unknown) => ({ type: 'map', values })
const millis = logical('long', 'timestamp-millis')
const date = logical('int', 'date')
const uuid = logical('string', 'uuid')
const aUuid = '123e4567-e89b-12d3-a456-426614174000'
const list = {
  type: 'record',
  name: 'Node',
  fields: [field('n', 'int'), field('next', ['null', 'Node'], orElse(null))],
}
const largest = 2n ** 63n - 1n
const numbers = [0, 1, -1, 63, 64, -64, -65, 8_191, 8_192, 2_147_483_647, -2_147_483_648]
const fractions = [0, 1.5, -1.5, NaN, Infinity, -Infinity]
const texts = ['', 'a', 'grüße 🌊', '\u0000', 'x'.repeat(5_000)]
const blobs = [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0, 127, 128, 255]), Buffer.alloc(5_000, 7)]

const plain: readonly Case[] = [
  ['null', 'null', [null]],
  ['boolean', 'boolean', [true, false]],
  ['int', 'int', numbers],
  ['long', 'long', [...numbers, 2 ** 40, -(2 ** 40), Number.MAX_SAFE_INTEGER - 1, 1 - Number.MAX_SAFE_INTEGER]],
  ['long as BigInt', 'long', [0n, -1n, 2n ** 53n + 1n, largest, -largest - 1n], { longs: 'bigint' }],
  ['float', 'float', fractions],
  ['double', 'double', [...fractions, -0, 0.1, 1e300, 5e-324, Number.MAX_VALUE]],
  ['string', 'string', texts],
  ['bytes', 'bytes', blobs],
  ['fixed', fixed(4), [Buffer.alloc(4), Buffer.from([0, 127, 128, 255])]],
  ['enum', suit, ['CLUBS', 'HEARTS', 'SPADES']],
  ['array of int', array('int'), [[], [1], [1, -1, 5_000], Array.from({ length: 300 }, (_, at) => at)]],
  ['array of string', array('string'), [['', 'a', 'ü'], Array.from({ length: 50 }, () => 'long enough')]],
  ['array of arrays', array(array('long')), [[[], [1, 2], [3]]]],
  ['map of int', map('int'), [{}, { a: 1 }, Object.fromEntries(Array.from({ length: 80 }, (_, at) => [`k${at}`, at]))]],
  ['map of maps', map(map('string')), [{ a: {}, ü: { b: 'c' } }]],
  ['record', record(field('a', 'int'), field('b', 'string')), [{ a: 1, b: 'x' }]],
  ['record without fields', record(), [{}]],
  ['record of records', record(field('in', { ...record(field('a', 'int')), name: 'In' })), [{ in: { a: 7 } }]],
  [
    'array of records',
    array(record(field('a', 'int'), field('b', 'string'))),
    [
      [
        { a: 1, b: 'x' },
        { a: 2, b: 'y' },
      ],
    ],
  ],
  [
    'list of itself',
    list,
    [
      { n: 1, next: null },
      { n: 1, next: { n: 2, next: { n: 3, next: null } } },
    ],
  ],
  [
    'name in a namespace',
    { ...record(field('s', { ...suit, namespace: 'cards' })), namespace: 'shop' },
    [{ s: 'CLUBS' }],
  ],
]

const logicals: readonly Case[] = [
  ['timestamp-millis', millis, [new Date(0), new Date(1_700_000_000_123), new Date(-1), new Date(-62_135_596_800_000)]],
  ['timestamp-micros', logical('long', 'timestamp-micros'), [0, 1_700_000_000_123_456, -1]],
  ['time-millis', logical('int', 'time-millis'), [0, 86_399_999]],
  ['time-micros', logical('long', 'time-micros'), [0, 86_399_999_999]],
  [
    'date',
    date,
    [new Date(0), new Date('2026-11-29'), new Date('1969-12-31'), new Date('0001-01-01'), new Date('9999-12-31')],
  ],
  ['uuid', uuid, [aUuid, '00000000-0000-0000-0000-000000000000']],
  ['uuid as fixed', logical(fixed(16), 'uuid'), [aUuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff']],
  ['decimal', decimal(9, 2), ['0.00', '0.01', '-0.01', '-12345.67', '1.27', '1.28', '-1.28', '-1.29', '9999999.99']],
  ['decimal of 38 digits', decimal(38, 0), ['9'.repeat(38), `-${'9'.repeat(38)}`, '128', '-128']],
  ['decimal as fixed', logical(fixed(8), 'decimal', { precision: 12, scale: 3 }), ['0.000', '-1.500', '123456789.012']],
  ['decimal in an array', array(decimal(5, 1)), [['1.0', '-2.5']]],
  ['dates in a map', map(date), [{ a: new Date('2026-01-01') }]],
  ['timestamps in a record', record(field('at', millis), field('on', date)), [{ at: new Date(5), on: new Date(0) }]],
]

const unions: readonly Case[] = [
  ['null or string', ['null', 'string'], [null, '', 'x']],
  ['string or null', ['string', 'null'], [null, 'x']],
  ['null, string or int', ['null', 'string', 'int'], [null, 'x', -5]],
  ['boolean, double or bytes', ['boolean', 'double', 'bytes'], [true, 1.5, Buffer.from([1])]],
  ['null or array', ['null', array('int')], [null, [1, 2]]],
  ['null or map', ['null', map('int')], [null, { a: 1 }]],
  ['null or enum', ['null', suit], [null, 'SPADES']],
  ['null or fixed', ['null', fixed(2)], [null, Buffer.from([1, 2])]],
  ['null or record', ['null', record(field('a', 'int'))], [null, { a: 1 }]],
  ['null or timestamp', ['null', millis], [null, new Date(1_700_000_000_123)]],
  ['null or decimal', ['null', decimal(9, 2)], [null, '-1.50']],
  ['null or uuid', ['null', uuid], [null, aUuid]],
  ['int or long', ['int', 'long'], [{ int: 5 }, { long: 2 ** 40 }], { wrapped: true }],
  [
    'two records',
    [record(field('a', 'int')), { ...record(field('a', 'int')), name: 'S' }],
    [{ R: { a: 1 } }, { S: { a: 2 } }],
    { wrapped: true },
  ],
  ['array of null or int', array(['null', 'int']), [[1, null, 2]]],
  [
    'record of unions',
    record(field('a', ['null', 'string'], orElse(null)), field('b', ['int', 'null'], orElse(1))),
    [
      { a: null, b: null },
      { a: 'x', b: 2 },
    ],
  ],
]

const farBelowZero = 2 - 2 ** 53
const ofLogicals = {
  ...record(),
  fields: [
    { name: 'at', type: millis },
    { name: 'on', type: date },
    { name: 'id', type: uuid },
    { name: 'sum', type: decimal(9, 2) },
  ],
}
const logicalValues = { at: new Date(1_700_000_000_123), on: new Date('2026-11-29'), id: aUuid, sum: '-1.25' }

type Change = readonly [
  name: string,
  writer: unknown,
  reader: unknown,
  value: unknown,
  read: unknown,
  more?: Partial<AvroVector>,
]

/** Between types, forward and backward. */
const changes: readonly Change[] = [
  ['int to long', 'int', 'long', -5, -5],
  ['int to long as BigInt', 'int', 'long', -5, -5n, { longs: 'bigint' }],
  ['int to float', 'int', 'float', 1_000, 1_000],
  ['int to double', 'int', 'double', 2_147_483_647, 2_147_483_647],
  ['long to float', 'long', 'float', -64, -64],
  ['long to double', 'long', 'double', 2 ** 40, 2 ** 40],
  ['long as BigInt to double', 'long', 'double', 2n ** 40n, 2 ** 40, { longs: 'bigint' }],
  ['long far below zero to double', 'long', 'double', farBelowZero, farBelowZero],
  ['long far below zero to float', 'long', 'float', -(2 ** 52 + 2 ** 40), -(2 ** 52 + 2 ** 40)],
  [
    'a field more beside longs at both ends',
    record(field('a', 'long'), field('b', ['null', 'long']), field('c', array('long'))),
    record(
      field('a', 'long'),
      field('b', ['null', 'long']),
      field('c', array(['null', 'long'])),
      field('more', 'int', orElse(1)),
    ),
    { a: farBelowZero, b: -farBelowZero, c: [farBelowZero, -1] },
    { a: farBelowZero, b: -farBelowZero, c: [farBelowZero, -1], more: 1 },
  ],
  ['float to double', 'float', 'double', 1.5, 1.5],
  ['string to bytes', 'string', 'bytes', 'ü', Buffer.from('ü')],
  ['bytes to string', 'bytes', 'string', Buffer.from('ü'), 'ü'],
  ['long to timestamp', 'long', millis, 5, new Date(5)],
  ['timestamp to long', millis, 'long', new Date(5), 5],
  ['int to date', 'int', date, 1, new Date(86_400_000)],
  ['date to int', date, 'int', new Date(86_400_000), 1],
  ['string to uuid', 'string', uuid, aUuid, aUuid],
  ['uuid to string', uuid, 'string', aUuid, aUuid],
  ['bytes to decimal', 'bytes', decimal(9, 2), Buffer.from([125]), '1.25'],
  ['decimal to bytes', decimal(9, 2), 'bytes', '1.25', Buffer.from([125])],
  ['items of an array', array('int'), array('double'), [1, 2], [1, 2]],
  ['values of a map', map('int'), map('long'), { a: 1 }, { a: 1 }],
  ['a type to a union', 'string', ['null', 'string'], 'x', 'x'],
  ['a type to a wider one in a union', 'int', ['null', 'long'], 5, 5],
  ['a union to one of its types', ['null', 'string'], 'string', 'x', 'x'],
  ['a union to a larger one', ['null', 'int'], ['null', 'string', 'int'], 5, 5],
  ['a union to a smaller one', ['null', 'string', 'int'], ['null', 'int'], 5, 5],
  ['a union in another order', ['null', 'string'], ['string', 'null'], null, null],
  ['an enum with more symbols', suit, { ...suit, symbols: ['STARS', ...suit.symbols] }, 'SPADES', 'SPADES'],
  ['an enum with fewer symbols', suit, { ...suit, symbols: ['SPADES', 'CLUBS'] }, 'SPADES', 'SPADES'],
  ['an enum with a default', suit, { ...suit, symbols: ['CLUBS'], default: 'CLUBS' }, 'SPADES', 'CLUBS'],
  [
    'fields in another order',
    record(field('a', 'int'), field('b', 'string')),
    record(field('b', 'string'), field('a', 'int')),
    { a: 1, b: 'x' },
    { a: 1, b: 'x' },
  ],
  [
    'a field less',
    record(field('a', 'int'), field('b', array('string')), field('c', 'int')),
    record(field('a', 'int'), field('c', 'int')),
    { a: 1, b: ['x', 'y'], c: 2 },
    { a: 1, c: 2 },
  ],
  [
    'a record field less',
    record(field('a', list), field('c', 'int')),
    record(field('c', 'int')),
    { a: { n: 1, next: null }, c: 2 },
    { c: 2 },
  ],
  [
    'an alias of a field',
    record(field('old', 'int')),
    record({ ...field('now', 'int'), aliases: ['old'] }),
    { old: 5 },
    { now: 5 },
  ],
  [
    'an alias of a record',
    { ...record(field('a', 'int')), name: 'Old' },
    { ...record(field('a', 'int')), aliases: ['Old'] },
    { a: 5 },
    { a: 5 },
  ],
  [
    'records in records',
    record(field('in', { ...record(field('a', 'int')), name: 'In' })),
    record(field('in', { ...record(field('a', 'long'), field('b', 'string', orElse('new'))), name: 'In' })),
    { in: { a: 1 } },
    { in: { a: 1, b: 'new' } },
  ],
  [
    'a list of itself',
    list,
    { ...list, fields: [...list.fields, field('tag', 'string', orElse(''))] },
    { n: 1, next: { n: 2, next: null } },
    { n: 1, next: { n: 2, next: null, tag: '' }, tag: '' },
  ],
  [
    'a field more beside logical types',
    ofLogicals,
    record(...ofLogicals.fields, field('more', 'int', orElse(1))),
    logicalValues,
    { ...logicalValues, more: 1 },
  ],
  [
    'logical types that become optional',
    ofLogicals,
    record(...ofLogicals.fields.map(({ name, type }) => field(name, ['null', type], orElse(null)))),
    logicalValues,
    logicalValues,
  ],
  ['a decimal of more digits', decimal(9, 2), decimal(12, 2), '-1.25', '-1.25'],
  [
    'a field that becomes optional',
    record(field('a', 'int')),
    record(field('a', ['null', 'int'], orElse(null))),
    { a: 5 },
    { a: 5 },
  ],
  [
    'an optional field that becomes required',
    record(field('a', ['null', 'int'])),
    record(field('a', 'int')),
    { a: 5 },
    { a: 5 },
  ],
]

/** What a reader finds in a field that its writer did not have: the type, its default, and that as a value. */
const defaults: readonly (readonly [
  name: string,
  type: unknown,
  inSchema: unknown,
  value: unknown,
  more?: Partial<AvroVector>,
])[] = [
  ['null', 'null', null, null],
  ['boolean', 'boolean', true, true],
  ['int', 'int', -7, -7],
  ['long', 'long', 2 ** 40, 2 ** 40],
  ['long as BigInt', 'long', 5, 5n, { longs: 'bigint' }],
  ['float', 'float', 1.5, 1.5],
  ['double', 'double', -0.1, -0.1],
  ['bytes', 'bytes', '\u0000\u00ff', Buffer.from([0, 255])],
  ['string', 'string', 'ü', 'ü'],
  ['fixed', fixed(2), '\u0001\u00fe', Buffer.from([1, 254])],
  ['enum', suit, 'HEARTS', 'HEARTS'],
  ['array', array('int'), [1, 2], [1, 2]],
  ['empty array', array('string'), [], []],
  ['map', map('int'), { a: 1 }, { a: 1 }],
  [
    'record',
    { ...record(field('x', 'int'), field('y', 'string', orElse('z'))), name: 'In' },
    { x: 1 },
    { x: 1, y: 'z' },
  ],
  ['union of null first', ['null', 'string'], null, null],
  ['union of a string first', ['string', 'null'], 'x', 'x'],
  ['timestamp', millis, 5, new Date(5)],
  ['date', date, 1, new Date(86_400_000)],
  ['uuid', uuid, aUuid, aUuid],
  ['decimal', decimal(9, 2), '\u007d', '1.25'],
]

const many = (prefix: string, cases: readonly Case[]): readonly AvroVector[] =>
  cases.flatMap(([name, writer, values, more]) =>
    values.map((value, at) => ({ name: `${prefix}${name}, value ${at + 1}`, writer, value, ...more })),
  )

export const avroVectors: readonly AvroVector[] = [
  ...many('', plain),
  ...many('logical: ', logicals),
  ...many('union: ', unions),
  ...changes.map(([name, writer, reader, value, read, more]) => ({
    name: `change: ${name}`,
    writer,
    reader,
    value,
    read,
    ...more,
  })),
  ...defaults.map(([name, type, inSchema, value, more]) => ({
    name: `default: ${name}`,
    writer: record(field('a', 'int')),
    reader: record(field('a', 'int'), field('b', type, orElse(inSchema))),
    value: { a: 1 },
    read: { a: 1, b: value },
    ...more,
  })),
]
