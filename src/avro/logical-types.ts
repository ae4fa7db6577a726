import avsc from 'avsc'

/** What avsc asks of a logical type. */
export type LogicalTypeClass = new (schema: avsc.Schema, options?: unknown) => avsc.types.LogicalType

const dayMs = 86_400_000

abstract class OnNumbers<Value> extends avsc.types.LogicalType {
  protected abstract from(value: number): Value

  /** Records of a writer that knows the plain number only are read too. */
  protected override _resolve(type: avsc.Type): ((value: unknown) => Value) | undefined {
    // What another of its kind reads is such a value already.
    if (type instanceof this.constructor) return (value) => value as Value
    const isNumber = avsc.Type.isType(type, 'int', 'long')
    return isNumber ? (value) => this.from(Number(value)) : undefined
  }
}

/** Milliseconds since 1970 as a Date. */
class TimestampMillis extends OnNumbers<Date> {
  get expects(): string {
    return 'a Date'
  }

  protected override _fromValue(value: number | bigint): Date {
    return this.from(Number(value))
  }

  protected override _toValue(value: unknown): number | undefined {
    return value instanceof Date && Number.isFinite(value.getTime()) ? value.getTime() : undefined
  }

  protected from(value: number): Date {
    return new Date(value)
  }
}

/** Days since 1970 as a Date at midnight UTC; one with a time of day is refused, since it would be lost. */
class CalendarDate extends OnNumbers<Date> {
  get expects(): string {
    return 'a Date at midnight UTC'
  }

  protected override _fromValue(value: number | bigint): Date {
    return this.from(Number(value))
  }

  protected override _toValue(value: unknown): number | undefined {
    const days = value instanceof Date ? value.getTime() / dayMs : NaN
    return Number.isInteger(days) ? days : undefined
  }

  protected from(value: number): Date {
    return new Date(value * dayMs)
  }
}

/** Decimal text, as `-12.50`: with all digits of its scale, and none is rounded. */
class Decimal extends avsc.types.LogicalType {
  readonly #scale: number
  readonly #precision: number
  readonly #size: number | null

  constructor(schema: avsc.Schema, options?: unknown) {
    super(schema, options as object)
    const { precision, scale = 0 } = schema as unknown as { readonly precision: number; readonly scale?: number }
    this.#precision = precision
    this.#scale = scale
    this.#size = (schema as { readonly size?: number }).size ?? null
  }

  get expects(): string {
    return `text of ${this.#precision} digits, ${this.#scale} of them behind the point`
  }

  protected override _fromValue(bytes: Buffer): string {
    return decimalText(integerOf(bytes), this.#scale)
  }

  protected override _toValue(value: unknown): Buffer | undefined {
    const integer = typeof value === 'string' ? scaled(value, this.#scale, this.#precision) : null
    return integer === null ? undefined : (bytesOf(integer, this.#size) ?? undefined)
  }

  /** Digits that another scale does not have would be lost, so it is another type. */
  protected override _resolve(type: avsc.Type): ((value: unknown) => unknown) | undefined {
    if (avsc.Type.isType(type, 'bytes', 'fixed')) return (bytes) => this._fromValue(bytes as Buffer)
    if (!(type instanceof Decimal) || type.#scale !== this.#scale) return undefined
    return type.#precision <= this.#precision ? (value) => value : undefined
  }
}

/** Text of the form 123e4567-e89b-12d3-a456-426614174000. */
class Uuid extends avsc.types.LogicalType {
  get expects(): string {
    return 'text as 123e4567-e89b-12d3-a456-426614174000'
  }

  protected override _fromValue(value: string | Buffer): string {
    if (typeof value === 'string') return value
    const hex = value.toString('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }

  protected override _toValue(value: unknown): string | Buffer | undefined {
    if (typeof value !== 'string' || !/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value)) return undefined
    return this.underlyingType.typeName === 'fixed' ? Buffer.from(value.replaceAll('-', ''), 'hex') : value
  }

  protected override _resolve(type: avsc.Type): ((value: unknown) => unknown) | undefined {
    if (type instanceof Uuid) return (value) => value
    return avsc.Type.isType(type, 'string', 'fixed') ? (value) => this._fromValue(value as string | Buffer) : undefined
  }
}

/** Other logical types are what they stand on: micros and nanos are integers, a duration is bytes. */
export const logicalTypes: Readonly<Record<string, LogicalTypeClass>> = {
  'timestamp-millis': TimestampMillis,
  date: CalendarDate,
  decimal: Decimal,
  uuid: Uuid,
}

/** What each of them stands on. */
const bases: Readonly<Record<string, readonly unknown[]>> = {
  'timestamp-millis': ['int', 'long'],
  date: ['int', 'long'],
  decimal: ['bytes', 'fixed'],
  uuid: ['string', 'fixed'],
}

/** Whether one of ours stands where it says nothing, as a date on a string: Avro has readers ignore it there. */
export function isMisplaced(
  schema: Readonly<Record<string, unknown>>,
  inUse: Readonly<Record<string, LogicalTypeClass>>,
): boolean {
  const { logicalType: name, type, size } = schema
  if (typeof name !== 'string' || inUse[name] === undefined || inUse[name] !== logicalTypes[name]) return false
  if (bases[name]?.includes(type) !== true) return true
  if (name === 'uuid') return type === 'fixed' && size !== 16
  return name === 'decimal' && !isDecimal(schema)
}

function isDecimal({ precision, scale = 0 }: Readonly<Record<string, unknown>>): boolean {
  return isCount(precision) && precision > 0 && isCount(scale) && scale <= precision
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}

/** Two's complement, big-endian. */
function integerOf(bytes: Buffer): bigint {
  if (bytes.length === 0) return 0n
  const unsigned = BigInt(`0x${bytes.toString('hex')}`)
  return BigInt.asIntN(bytes.length * 8, unsigned)
}

/** In as few bytes as hold it, or in `size`; `null` when it does not fit. */
function bytesOf(integer: bigint, size: number | null): Buffer | null {
  let length = 1
  while (BigInt.asIntN(length * 8, integer) !== integer) length += 1
  if (size !== null && length > size) return null
  const bytes = size ?? length
  return Buffer.from(
    BigInt.asUintN(bytes * 8, integer)
      .toString(16)
      .padStart(bytes * 2, '0'),
    'hex',
  )
}

function decimalText(integer: bigint, scale: number): string {
  if (scale === 0) return integer.toString()
  const sign = integer < 0n ? '-' : ''
  const digits = (integer < 0n ? -integer : integer).toString().padStart(scale + 1, '0')
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** The integer that a text is at a scale; `null` when digits would be lost, or there are too many. */
function scaled(text: string, scale: number, precision: number): bigint | null {
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  if (parts === null) return null
  const [, sign = '', whole = '', fraction = ''] = parts
  const kept = fraction.replace(/0+$/, '')
  if (kept.length > scale) return null
  const integer = BigInt(whole + kept.padEnd(scale, '0'))
  if (integer.toString().length > precision && integer !== 0n) return null
  return sign === '-' ? -integer : integer
}
