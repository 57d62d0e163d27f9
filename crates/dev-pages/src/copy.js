// Adds a copy button to every element with `data-copy`. Without this script, the pages have none.

const SHOWN_MS = 2000

function select(element) {
  const range = document.createRange()
  range.selectNodeContents(element)
  const selection = getSelection()
  selection.removeAllRanges()
  selection.addRange(range)
}

for (const element of document.querySelectorAll('[data-copy]')) {
  const isId = element.tagName === 'CODE'
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'copy'
  button.textContent = 'Copy'
  const name = isId ? `Copy ${element.textContent}` : 'Copy the commands'
  button.setAttribute('aria-label', name)
  button.addEventListener('click', async () => {
    let result = 'Copied'
    try {
      await navigator.clipboard.writeText(element.textContent)
    } catch {
      select(element)
      result = 'Selected'
    }
    button.textContent = result
    button.setAttribute('aria-label', result)
    setTimeout(() => {
      button.textContent = 'Copy'
      button.setAttribute('aria-label', name)
    }, SHOWN_MS)
  })
  element.after(' ', button)
}
