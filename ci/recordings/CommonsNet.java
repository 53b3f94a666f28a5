import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPClient;

/** One session of Apache Commons Net: CommonsNet.java KIND HOST PORT USER PASSWORD PATH */
public class CommonsNet {
    public static void main(String[] arguments) throws IOException {
        String kind = arguments[0];
        FTPClient ftp = new FTPClient();
        ftp.setConnectTimeout(30_000);
        ftp.setUseEPSVwithIPv4(kind.equals("epsv"));
        ftp.connect(arguments[1], Integer.parseInt(arguments[2]));
        check(ftp.login(arguments[3], arguments[4]), ftp);
        if (kind.equals("active")) {
            ftp.enterLocalActiveMode();
        } else {
            ftp.enterLocalPassiveMode();
        }
        check(ftp.changeWorkingDirectory(arguments[5]), ftp);
        check(ftp.setFileType(FTP.BINARY_FILE_TYPE), ftp);
        ByteArrayOutputStream got = new ByteArrayOutputStream();
        if (kind.equals("resume")) {
            ftp.setRestartOffset(60_000);
        }
        check(ftp.retrieveFile("numbers.bin", got), ftp);
        check(got.size() == (kind.equals("resume") ? 16_800 : 76_800), ftp);
        check(ftp.storeFile("new.bin", new ByteArrayInputStream(got.toByteArray())), ftp);
        check(ftp.listFiles().length >= 4, ftp);
        check(ftp.deleteFile("new.bin"), ftp);
        check(ftp.logout(), ftp);
        ftp.disconnect();
    }

    private static void check(boolean holds, FTPClient ftp) throws IOException {
        if (!holds) {
            throw new IOException(ftp.getReplyString());
        }
    }
}
