import { judgeBy } from '../../connection/verdicts.js'

/** What the code of one partition in a Fetch answer calls for. */
type FetchVerdict = 'out-of-range' | 'corrupt' | 'look-up-again' | 'fail'

/** Whatever is not known to be final is tried again: a broker that will not give records delays them, it loses none. */
export const judgeFetchCode = judgeBy<FetchVerdict>(
  {
    OFFSET_OUT_OF_RANGE: 'out-of-range',
    CORRUPT_MESSAGE: 'corrupt',
    TOPIC_AUTHORIZATION_FAILED: 'fail',
    INVALID_TOPIC_EXCEPTION: 'fail',
    UNSUPPORTED_COMPRESSION_TYPE: 'fail',
    UNSUPPORTED_VERSION: 'fail',
  },
  'look-up-again',
)
