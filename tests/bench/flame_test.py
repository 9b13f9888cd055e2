#!/usr/bin/env python3
"""scripts/flame: how samples become boxes."""

import pathlib
import sys
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench" / "report"))

import flame  # noqa: E402

# As perf prints them: innermost first.
SAMPLES = """
keel_compare
\tffffffff8100 clear_page_erms
\tffffffff8200 do_user_addr_fault
\t    55cc0010 keel::pager::PageCache::Create(keel::PageId, keel::Epoch)+0x12
\t    55cc0020 keel::btree::Put(keel::btree::Tree<int>*, std::basic_string_view<char>)
\t    55cc0030 keel::compare::Worker::Run()
\t    7fcc0040 start_thread

keel_compare
\t    7fcc0050 __memmove_avx_unaligned
\t    55cc0020 keel::btree::Put(keel::btree::Tree<int>*, std::basic_string_view<char>)
\t    55cc0030 keel::compare::Worker::Run()

keel_compare
\t    55cc0070 keel::btree::Cursor::Next()
\t    55cc0080 keel::compare::WarmUp(keel::compare::Store&)

keel_compare
\t    55cc0060 keel::compare::Histogram::Add(unsigned long)
\t    55cc0030 keel::compare::Worker::Run()
"""


class Fold(unittest.TestCase):
    def setUp(self):
        self.root = flame.fold(flame.stacks(SAMPLES.splitlines()))

    def test_only_measured_samples_within_keel_count(self):
        self.assertEqual(self.root.samples, 2)

    def test_calls_are_told_apart_by_the_way_to_them(self):
        put = self.root.calls["keel::btree::Put"]
        self.assertEqual(put.samples, 2)
        self.assertEqual(set(put.calls), {"keel::pager::PageCache::Create", "__memmove_avx_unaligned"})

    def test_the_kernel_is_one_box(self):
        create = self.root.calls["keel::btree::Put"].calls["keel::pager::PageCache::Create"]
        self.assertEqual({name: call.calls for name, call in create.calls.items()}, {"[kernel]": {}})


class Names(unittest.TestCase):
    def test_arguments_and_templates_are_left_out(self):
        self.assertEqual(flame.short("std::map<int, std::set<long> >::find(int const&)+0x1f"), "std::map::find")
        self.assertEqual(flame.short("keel::(anonymous namespace)::Go(int)"), "keel::Go")
        self.assertEqual(flame.short("keel::A::B()::{lambda(int, long)#2}::operator()(int)"), "keel::A::B")

    def test_the_drivers_own_work_is_not_keels(self):
        self.assertTrue(flame.is_keel("keel::wal::LogWriterImpl::Flush"))
        self.assertFalse(flame.is_keel("keel::compare::Worker::Run"))


class Draw(unittest.TestCase):
    def test_boxes_are_as_wide_as_their_share(self):
        svg = flame.draw(flame.fold(flame.stacks(SAMPLES.splitlines())), "a <test>")
        root = xml.etree.ElementTree.fromstring(svg)
        widths = {}
        for group in root.iter("{http://www.w3.org/2000/svg}g"):
            title = group.find("{http://www.w3.org/2000/svg}title").text
            rect = group.find("{http://www.w3.org/2000/svg}rect")
            widths[title.split(": ")[0]] = float(rect.get("width"))
        self.assertEqual(widths["keel::btree::Put"], flame.WIDTH)
        self.assertEqual(widths["[kernel]"], flame.WIDTH / 2)

    def test_nothing_seen_is_still_a_picture(self):
        xml.etree.ElementTree.fromstring(flame.draw(flame.Frame("all"), "nothing"))


if __name__ == "__main__":
    unittest.main()
