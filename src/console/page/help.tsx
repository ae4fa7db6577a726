import { useEffect, useRef, useState } from 'preact/hooks'
import { keyMap, lettersAreOff, switchLetters } from './keys.js'
import { Sign } from './parts/sign.js'

export function Help({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [isOn, setOn] = useState(!lettersAreOff())
  useEffect(() => dialog.current?.showModal(), [])
  const change = (on: boolean) => {
    switchLetters(on)
    setOn(on)
  }
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="help-title">
      <h2 id="help-title">Keys and signs</h2>
      <dl class="keys">
        {keyMap.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={isOn} onChange={({ currentTarget }) => change(currentTarget.checked)} />
        Single letters are keys
      </label>
      <ul class="signs">
        <li>
          <Sign level="act" /> stands still, or something is lost: act now
        </li>
        <li>
          <Sign level="watch" /> will become so, if nothing changes
        </li>
        <li>
          <Sign level="ok" /> keeps up
        </li>
        <li>
          <Sign level="unjudged" /> cannot be judged: what is not known is shown as –, and never as 0
        </li>
      </ul>
      <p>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </p>
    </dialog>
  )
}
