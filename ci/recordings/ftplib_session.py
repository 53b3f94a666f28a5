"""One session of Python's ftplib: ftplib_session.py KIND HOST PORT USER PASSWORD PATH CA"""

import ftplib
import io
import ssl
import sys

kind, host, port, user, password, path, ca = sys.argv[1:]
if kind == "tls":
    ftp = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=ca), timeout=30)
else:
    ftp = ftplib.FTP(timeout=30)
ftp.connect(host, int(port))
ftp.login(user, password)
if kind == "tls":
    ftp.prot_p()
ftp.set_pasv(kind != "active")
ftp.cwd(path)
if kind in ("plain", "active", "tls"):
    got = io.BytesIO()
    ftp.retrbinary("RETR numbers.bin", got.write)
    ftp.storbinary("STOR new.bin", io.BytesIO(got.getvalue()[:5000]))
    ftp.retrlines("LIST", lambda line: None)
    ftp.retrlines("RETR text.txt", lambda line: None)
    ftp.delete("new.bin")
elif kind == "abort":
    ftp.voidcmd("TYPE I")
    data = ftp.transfercmd("RETR numbers.bin")
    data.recv(1000)
    try:
        ftp.abort()
    except ftplib.all_errors:
        pass
    data.close()
    # A server may have answered ABOR with one reply or with two.
    ftp.close()
    sys.exit()
elif kind == "resume":
    got = io.BytesIO()
    ftp.retrbinary("RETR numbers.bin", got.write, rest=60000)
    ftp.storbinary("STOR empty", io.BytesIO(b"0123456789"))
    ftp.storbinary("STOR empty", io.BytesIO(b"56789abc"), rest=5)
elif kind == "rename":
    ftp.mkd("made")
    ftp.rename("text.txt", "made/moved.txt")
    ftp.voidcmd("TYPE I")
    assert ftp.size("made/moved.txt") is not None
    ftp.delete("made/moved.txt")
    ftp.rmd("made")
    try:
        ftp.cwd("made")
    except ftplib.error_perm:
        pass
elif kind == "mlsd":
    try:
        list(ftp.mlsd(facts=["type", "size"]))
    except ftplib.error_perm:
        ftp.nlst()
ftp.quit()
