import { brokerCode } from '../../connection/broker-error.js'

/** What an error code of one partition in a fetch answer calls for. */
type FetchVerdict = 'out-of-range' | 'corrupt' | 'look-up-again' | 'fail'

const verdicts: ReadonlyMap<number, FetchVerdict> = new Map([
  [brokerCode.OFFSET_OUT_OF_RANGE, 'out-of-range'],
  [brokerCode.CORRUPT_MESSAGE, 'corrupt'],
  [brokerCode.TOPIC_AUTHORIZATION_FAILED, 'fail'],
  [brokerCode.INVALID_TOPIC_EXCEPTION, 'fail'],
  [brokerCode.UNSUPPORTED_COMPRESSION_TYPE, 'fail'],
  [brokerCode.UNSUPPORTED_VERSION, 'fail'],
])

/** Whatever is not known to be final is tried again: a broker that will not give records delays them, it loses none. */
export function judgeFetchCode(code: number): FetchVerdict {
  return verdicts.get(code) ?? 'look-up-again'
}
