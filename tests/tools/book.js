// SPDX-License-Identifier: MIT
// The search of the book: every section that has all the words that were typed, the best first. The index
// is a script of its own (book-index.js), since a page from disk may not read other files.
'use strict';
(function () {
  const input = document.getElementById('search');
  const list = document.getElementById('found');
  const lower = BOOK_INDEX.map((s) => ({ page: s.of.toLowerCase(), head: s.head.toLowerCase(), text: s.text.toLowerCase() }));

  function points(at, words) {
    let sum = 0;
    for (const word of words) {
      const inHead = lower[at].head.includes(word), inPage = lower[at].page.includes(word);
      const times = lower[at].text.split(word).length - 1;
      if (!inHead && !inPage && !times) return 0;
      sum += (inHead ? 10 : 0) + (inPage ? 4 : 0) + Math.min(times, 5);
    }
    return BOOK_INDEX[at].own ? sum + 100 : sum; // the book's own pages come first
  }

  function around(section, words) {
    const text = section.text.toLowerCase();
    const word = words.find((w) => text.includes(w)) || '';
    const at = text.indexOf(word);
    const from = Math.max(0, at - 40);
    return [(from ? '… ' : '') + section.text.slice(from, at), section.text.slice(at, at + word.length),
      section.text.slice(at + word.length, at + word.length + 80) + ' …'];
  }

  function row(section, words) {
    const item = document.createElement('li');
    const link = item.appendChild(document.createElement('a'));
    link.href = section.page + '#' + section.at;
    link.textContent = section.head === section.of ? section.head : section.of + ': ' + section.head;
    const text = item.appendChild(document.createElement('span'));
    text.className = 'text';
    const [before, word, after] = around(section, words);
    text.append(before);
    if (word) text.appendChild(document.createElement('mark')).textContent = word;
    text.append(after);
    return item;
  }

  function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = words.length ? BOOK_INDEX.map((s, at) => [points(at, words), at]).filter((h) => h[0]) : [];
    hits.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    list.replaceChildren(...hits.slice(0, 12).map((h) => row(BOOK_INDEX[h[1]], words)));
    if (words.length && !hits.length) list.appendChild(document.createElement('li')).textContent = 'nothing found';
  }

  input.addEventListener('input', search);
  document.addEventListener('keydown', (e) => {
    if (e.key === '/' && document.activeElement !== input) {
      e.preventDefault();
      input.focus();
    }
  });
})();
